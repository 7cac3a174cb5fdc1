"""Cadences: how often a newsletter comes. Everything about a cadence is in one table.

To add one: a member of `Cadence`, a record in `TABLE`, and `manage.py makemigrations subscribers digests`. The forms,
the clock, the checks of the database and the sentences read it from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Protocol

from django.db import models
from django.db.models import Case, When
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Cadence(models.TextChoices):
    """How often a subscription is served."""

    INSTANT = "instant", _("Each story at once")
    DAILY = "daily", _("Daily")
    WEEKLY = "weekly", _("Weekly")
    MONTHLY = "monthly", _("Monthly")

    @property
    def in_a_sentence(self) -> str:
        """“daily”, as in “the Morning Brief, daily”: each language decides about capitals and cases."""
        return str(of(self).in_a_sentence)


class Weekday(models.IntegerChoices):
    """ISO days less one, as `date.weekday()` counts them."""

    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")

    @property
    def every(self) -> str:
        """“Every Monday”, which in many languages is more than two words beside each other."""
        return str(EVERY[self])


EVERY: Final[Mapping[Weekday, Promise]] = {
    Weekday.MONDAY: _("Every Monday"),
    Weekday.TUESDAY: _("Every Tuesday"),
    Weekday.WEDNESDAY: _("Every Wednesday"),
    Weekday.THURSDAY: _("Every Thursday"),
    Weekday.FRIDAY: _("Every Friday"),
    Weekday.SATURDAY: _("Every Saturday"),
    Weekday.SUNDAY: _("Every Sunday"),
}


class Schedule(Protocol):
    """The fields of a cadence offer that choose the day of its digest."""

    weekday: Any
    day_of_month: Any


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When the digests of a cadence run: one in each period (a day, a week, a month)."""

    # The day of the run in the period that holds this day, and the key of that period.
    run: Callable[[Schedule, date], tuple[date, str]]
    # A day in the period after the one that holds this day.
    following: Callable[[date], date]
    # No period is longer, but for changes of summer time.
    length: timedelta
    # How many days the next run is after the last one at least, once the schedule was changed. With half a period, a
    # change shortens or prolongs one period by half of it at most.
    days_apart: int


@dataclass(frozen=True, slots=True)
class Record:
    """Everything about one cadence."""

    cadence: Cadence
    in_a_sentence: Promise
    # What the page of a newsletter says: with %(time)s, %(zone)s, and %(weekday)s (“Every Monday”) or %(day)s.
    description: Promise
    # A run that is later than this is skipped; its stories go into the next digest.
    max_staleness: timedelta
    # None: each story has an issue of its own.
    rhythm: Rhythm | None = None
    # The fields of an offer that say when it runs.
    needs: tuple[str, ...] = ()


def _day(_schedule: Schedule, day: date) -> tuple[date, str]:
    return day, day.isoformat()


def _day_of_week(schedule: Schedule, day: date) -> tuple[date, str]:
    year, week, _weekday = day.isocalendar()
    return date.fromisocalendar(year, week, (schedule.weekday or 0) + 1), f"{year}-W{week:02}"


def _day_of_month(schedule: Schedule, day: date) -> tuple[date, str]:
    return day.replace(day=schedule.day_of_month or 1), f"{day:%Y-%m}"


def _next_month(day: date) -> date:
    return (day.replace(day=1) + LONGEST_MONTH).replace(day=1)


DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(weeks=1)
LONGEST_MONTH: Final = timedelta(days=31)

# How soon after a story; readers see the choices in this order.
TABLE: Final = (
    Record(
        cadence=Cadence.INSTANT,
        in_a_sentence=pgettext_lazy("in a sentence", "each story at once"),
        description=_("Each story when it is published"),
        max_staleness=timedelta(hours=6),
    ),
    Record(
        cadence=Cadence.DAILY,
        in_a_sentence=pgettext_lazy("in a sentence", "daily"),
        description=_("Daily at %(time)s (%(zone)s)"),
        max_staleness=timedelta(hours=24),
        rhythm=Rhythm(run=_day, following=lambda day: day + DAY, length=DAY, days_apart=1),
        needs=("send_at",),
    ),
    Record(
        cadence=Cadence.WEEKLY,
        in_a_sentence=pgettext_lazy("in a sentence", "weekly"),
        description=_("%(weekday)s at %(time)s (%(zone)s)"),
        max_staleness=timedelta(days=3),
        rhythm=Rhythm(run=_day_of_week, following=lambda day: day + WEEK, length=WEEK, days_apart=4),
        needs=("send_at", "weekday"),
    ),
    Record(
        cadence=Cadence.MONTHLY,
        in_a_sentence=pgettext_lazy("in a sentence", "monthly"),
        description=_("On day %(day)s of each month at %(time)s (%(zone)s)"),
        max_staleness=timedelta(days=7),
        rhythm=Rhythm(run=_day_of_month, following=_next_month, length=LONGEST_MONTH, days_apart=15),
        needs=("send_at", "day_of_month"),
    ),
)
ORDER: Final = {record.cadence: number for number, record in enumerate(TABLE)}
DIGESTS: Final = tuple(record.cadence for record in TABLE if record.rhythm)
# The choice that a form makes for a reader who makes none.
PREFERRED: Final = Cadence.DAILY


class NoDigest(Exception):
    """The cadence has no digests."""


def of(cadence: str) -> Record:
    """The record of a cadence."""
    return TABLE[ORDER[Cadence(cadence)]]


def rhythm(cadence: str) -> Rhythm:
    """When its digests run. On failure: NoDigest."""
    record = of(cadence)
    if record.rhythm is None:
        raise NoDigest(cadence)
    return record.rhythm


def needing(field: str) -> list[str]:
    """The cadences whose offers need this field, for the checks of the database."""
    return [record.cadence.value for record in TABLE if field in record.needs]


def in_order() -> Case:
    """Rows with a cadence in the order of the table."""
    return Case(*(When(cadence=cadence, then=number) for cadence, number in ORDER.items()))


def names_of_digests() -> str:
    """As a command takes them: "daily, weekly or monthly"."""
    *others, last = DIGESTS
    return f"{', '.join(others)} or {last}"
