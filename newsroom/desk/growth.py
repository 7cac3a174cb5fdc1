"""How many readers there are, and how many came and went of late: counted once in a while, and remembered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from django.db.models import Count

from core import soft_cache
from subscribers import turns
from subscribers.models import Newsletter, Subscription

DAYS: Final = 30
# At a million readers the counts take longer than a page may; nobody decides by the last five minutes.
REMEMBERED: Final = timedelta(days=1)
EVERY_MINUTES: Final = 5
KEY: Final = "desk:growth:2"


@dataclass(frozen=True, slots=True)
class Day:
    """The readers who confirmed and who left on one day."""

    day: date
    came: int
    left: int


@dataclass(frozen=True, slots=True)
class Growth:
    """Confirmed subscriptions by newsletter and cadence, and the last 30 days, oldest first, at one instant."""

    # By newsletter, cadence and language.
    audience: dict[tuple[int, str, str], int]
    days: tuple[Day, ...]
    counted_at: datetime

    @property
    def total(self) -> int:
        return sum(self.audience.values())

    def of(self, newsletter: int, cadence: str = "") -> int:
        """Confirmed readers of a newsletter, at one cadence or at any."""
        return sum(
            number for (one, often, _), number in self.audience.items() if one == newsletter and cadence in ("", often)
        )

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


def current(*, now: datetime) -> Growth:
    """Growth as the clock counted it last, every five minutes; counted now where that is not known."""
    remembered: Growth | None = soft_cache.read(KEY)
    return remembered or refresh(now=now)


def refresh(*, now: datetime) -> Growth:
    """Count, and remember it for a day."""
    counted = count(now=now)
    soft_cache.write(KEY, counted, seconds=REMEMBERED.total_seconds())
    return counted


def count(*, now: datetime) -> Growth:
    """Growth as it is now. A day is one of each newsletter's own time zone."""
    groups = Subscription.objects.all().confirmed().order_by()
    rows = groups.values_list("newsletter", "cadence", "subscriber__language").annotate(number=Count("pk"))
    audience = {(newsletter, cadence, language): number for newsletter, cadence, language, number in rows}
    today = now.date()
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    came, left = Counter[date](), Counter[date]()
    since = datetime.combine(days[0], time.min, UTC)
    for newsletter in Newsletter.objects.all():
        for turn in turns.within(newsletter=newsletter, since=since, until=now):
            (came if turn.is_yes else left)[turn.day] += turn.readers
    return Growth(audience, tuple(Day(day, came[day], left[day]) for day in days), now)
