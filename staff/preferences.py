"""What a person of the team chose for themselves on "My account"."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, User

from staff.models import Preference


def time_zone(user: AbstractBaseUser | AnonymousUser) -> str:
    """The zone in which this person sees and types hours; empty: the publication's."""
    chosen: Preference | None = getattr(user, "preference", None)
    return chosen.time_zone if chosen is not None else ""


def choose(*, user: User, time_zone: str) -> None:
    """See and type hours in this zone; empty: in the publication's. Before: it is one of the list, or empty."""
    Preference.objects.update_or_create(user=user, defaults={"time_zone": time_zone})
