"""How many readers there are, and how many came and went of late: counted once in a while, and remembered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import redis
from django.core.cache import cache
from django.db.models import Count
from django.db.models.functions import TruncDate

from subscribers.models import Subscription

DAYS: Final = 30
# At a million readers the counts take longer than a page may; nobody decides by the last five minutes.
REMEMBERED: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Day:
    """The readers who confirmed and who left on one day."""

    day: date
    came: int
    left: int


@dataclass(frozen=True, slots=True)
class Growth:
    """Confirmed subscriptions, by newsletter and cadence, and each of the last 30 days, oldest first."""

    confirmed: dict[tuple[int, str], int]
    days: tuple[Day, ...]

    @property
    def total(self) -> int:
        return sum(self.confirmed.values())

    @property
    def came(self) -> int:
        return sum(day.came for day in self.days)

    @property
    def left(self) -> int:
        return sum(day.left for day in self.days)

    @property
    def highest(self) -> int:
        """Of one day, in either direction; at least 1."""
        return max([1, *(max(day.came, day.left) for day in self.days)])


def current(*, zone: str, now: datetime) -> Growth:
    """Growth as it was counted at most five minutes ago. Days are those of the time zone."""
    key = f"desk:growth:{zone}"
    try:
        remembered: Growth | None = cache.get(key)
        if remembered is None:
            remembered = count(zone=zone, now=now)
            cache.set(key, remembered, timeout=REMEMBERED.total_seconds())
    except redis.RedisError:
        remembered = count(zone=zone, now=now)
    return remembered


def count(*, zone: str, now: datetime) -> Growth:
    """Growth as it is now."""
    by_offer = Subscription.objects.all().confirmed().order_by().values("newsletter", "cadence")
    confirmed = {(row["newsletter"], row["cadence"]): row["number"] for row in by_offer.annotate(number=Count("pk"))}
    came, left = (_by_day(field, zone, now) for field in ("confirmed_at", "unsubscribed_at"))
    today = now.astimezone(ZoneInfo(zone)).date()
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    return Growth(confirmed, tuple(Day(day, came.get(day, 0), left.get(day, 0)) for day in days))


def _by_day(field: str, zone: str, now: datetime) -> dict[date, int]:
    of_late = Subscription.objects.filter(**{f"{field}__gt": now - timedelta(days=DAYS + 1)}).order_by()
    days = of_late.values(day=TruncDate(field, tzinfo=ZoneInfo(zone))).annotate(number=Count("pk"))
    return {row["day"]: row["number"] for row in days}
