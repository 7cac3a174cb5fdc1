"""To which sections and newsletters a person is limited. Nobody is until an administrator says so.

A limit is a row per person and object, without a foreign key: when the last section of a person is deleted, the
person is left with none, and not with all. What a section or a newsletter is, the apps above know; they ask here
inside their verbs (`allows`) and for their lists (`narrowed`), and register the names that a form offers.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Final, TypeVar

from django.contrib.auth.models import AbstractBaseUser, User
from django.db import models, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from staff import audit
from staff.audit_actions import AuditAction
from staff.models import Limit, LimitKind

CHANGE: Final = "auth.change_user"
Row = TypeVar("Row", bound=models.Model)
# Kind -> the numbers and names that there are to choose from. The app that has them fills it in (`register`).
_names: Final[dict[LimitKind, Callable[[], Mapping[int, str]]]] = {}


class NotAllowed(Exception):
    """The rights of this person are not for the actor to change; str() is a sentence."""


def register(*, kind: LimitKind, names: Callable[[], Mapping[int, str]]) -> None:
    """Let people be limited to objects of this kind."""
    _names[kind] = names


def names(*, kind: LimitKind) -> dict[int, str]:
    """Number -> name of everything that somebody can be limited to."""
    return dict(_names[kind]()) if kind in _names else {}


def of(user: AbstractBaseUser | None, *, kind: LimitKind) -> frozenset[int] | None:
    """The numbers that the person is limited to; None: all of them, as the clock and administrators have."""
    if user is None or getattr(user, "is_superuser", False):
        return None
    return frozenset(Limit.objects.filter(user_id=user.pk, kind=kind).values_list("object_id", flat=True)) or None


def is_limited(user: AbstractBaseUser | None, *, kinds: Collection[LimitKind] = tuple(LimitKind)) -> bool:
    """Whether the person is limited to some objects of any of these kinds."""
    if user is None or getattr(user, "is_superuser", False) or not kinds:
        return False
    return Limit.objects.filter(user_id=user.pk, kind__in=kinds).exists()


def allows(user: AbstractBaseUser | None, *, kind: LimitKind, object_id: int) -> bool:
    """Whether the person may act on this section or newsletter."""
    numbers = of(user, kind=kind)
    return numbers is None or object_id in numbers


def narrowed(rows: QuerySet[Row], *, user: AbstractBaseUser | None, kind: LimitKind, field: str) -> QuerySet[Row]:
    """The rows whose `field` is a section or newsletter of this person."""
    numbers = of(user, kind=kind)
    return rows if numbers is None else rows.filter(**{f"{field}__in": numbers})


def change(*, user: User, kind: LimitKind, chosen: Collection[int], actor: User | None, now: datetime) -> None:
    """Limit the person to what was chosen; nothing chosen lifts the limit. Recorded if it is a change.

    On failure: NotAllowed, for an actor who may not change accounts, who is limited too, or whose own rights these are.
    """
    if actor is not None and (not actor.has_perm(CHANGE) or actor.pk == user.pk or of(actor, kind=kind) is not None):
        raise NotAllowed(_("Ask an administrator to change these rights."))
    wanted = set(chosen) & names(kind=kind).keys()
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        before = set(Limit.objects.filter(user=user, kind=kind).values_list("object_id", flat=True))
        if before == wanted:
            return
        Limit.objects.filter(user=user, kind=kind).exclude(object_id__in=wanted).delete()
        Limit.objects.bulk_create(Limit(user=user, kind=kind, object_id=number) for number in sorted(wanted - before))
        changed = {kind.label.lower(): [_listed(kind, before), _listed(kind, wanted)]}
        audit.record(action=AuditAction.RIGHTS_CHANGED, actor=actor, target=user, now=now, changed=changed)


def _listed(kind: LimitKind, numbers: Iterable[int]) -> list[str]:
    known = names(kind=kind)
    return [known.get(number, str(number)) for number in sorted(numbers)]
