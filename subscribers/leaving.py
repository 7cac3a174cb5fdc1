"""The reasons that readers give for leaving: asked once, optional, and counted without the person."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F, Sum

from subscribers.models import LeavingCount, LeavingReason, Newsletter

FEWEST: Final = 5


class Given(NamedTuple):
    """A reason, in words, and how many readers gave it."""

    name: str
    readers: int


def count(*, newsletter: Newsletter, reason: LeavingReason, now: datetime) -> None:
    """Add one reader to the reason's number of this month."""
    month = now.astimezone(ZoneInfo(newsletter.time_zone)).date().replace(day=1)
    with transaction.atomic():
        row, _made = LeavingCount.objects.get_or_create(newsletter=newsletter, month=month, reason=reason)
        LeavingCount.objects.filter(pk=row.pk).update(number=F("number") + 1)


def given(*, newsletter: Newsletter, now: datetime, days: int = 366) -> list[Given]:
    """The reasons of the months that begin within the days, the most frequent first.

    None before FEWEST readers gave one: with fewer, who left and why could be matched by the day.
    """
    rows = LeavingCount.objects.filter(newsletter=newsletter, month__gt=(now - timedelta(days=days)).date())
    numbers = rows.order_by().values_list("reason").annotate(readers=Sum("number")).order_by("-readers", "reason")
    if sum(readers for _reason, readers in numbers) < FEWEST:
        return []
    return [Given(str(LeavingReason(reason).label), readers) for reason, readers in numbers]
