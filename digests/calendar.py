"""When a digest is due: periods, their keys and their instants, computed in a newsletter's own time zone.

The clock of the machine ticks in UTC once a minute. What a tick means is computed here, so a late tick,
a second beat or a change to summer time moves nothing: each period has one instant and one key.
A local hour that does not exist that day means the first instant after the gap; an hour that comes
twice means the first of the two.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from digests.models import Issue
from subscribers.models import Cadence, CadenceOffer, Newsletter

log = logging.getLogger(__name__)

# A run that was missed for longer than this is recorded as skipped; its stories go into the next digest.
MAX_STALENESS = {
    Cadence.INSTANT: timedelta(hours=6),
    Cadence.DAILY: timedelta(hours=24),
    Cadence.WEEKLY: timedelta(days=3),
}
WEEK = timedelta(weeks=1)
DAY = timedelta(days=1)


class NoSuchOffer(Exception):
    """The newsletter does not offer digests at this cadence; the message says what it offers."""


@dataclass(frozen=True, slots=True)
class Period:
    """One run of the clock: its key (`2026-10-25`, `2026-W53`) and the instant (UTC) at which it is due."""

    key: str
    runs_at: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """A digest that has to be composed: its window ends at the instant of its run."""

    newsletter: Newsletter
    cadence: str
    period_key: str
    window_end: datetime


def due(*, now: datetime) -> list[Due]:
    """The digests whose hour has come and that have no issue yet, at most one per newsletter and cadence.

    Only the latest period counts: after an outage of a week a daily newsletter catches up one run,
    whose window holds the stories of all. A run before the offer was active is never due.
    """
    found = []
    for offer in (
        CadenceOffer.objects.filter(is_active=True).exclude(cadence=Cadence.INSTANT).select_related("newsletter")
    ):
        try:
            current = period(offer=offer, at=now)
        except ZoneInfoNotFoundError:
            # A zone that went away with an update of the machine must not stop the other newsletters.
            log.exception("newsletter %s has a time zone that this machine does not know", offer.newsletter_id)
            continue
        if current.runs_at > offer.active_since:
            found.append(Due(offer.newsletter, offer.cadence, current.key, current.runs_at))
    return [run for run in found if not _is_composed(run)]


def period(*, offer: CadenceOffer, at: datetime) -> Period:
    """The latest period of the offer whose instant is not after `at`."""
    return next(run for run in _backwards(offer, at) if run.runs_at <= at)


def instant(*, day: date, hour: time, zone: ZoneInfo) -> datetime:
    """The UTC instant of a local hour: after the gap when it does not exist, the first when it comes twice."""
    local = datetime.combine(day, hour.replace(tzinfo=None, fold=0), tzinfo=zone)
    found = local.astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return found
    return _end_of_gap(earlier=local.replace(fold=1).astimezone(UTC), later=found, zone=zone)


def is_stale(*, cadence: str, runs_at: datetime, now: datetime) -> bool:
    """True when a run is so late that it must be recorded as skipped instead of sent."""
    return now - runs_at > max_staleness(cadence=cadence)


def max_staleness(*, cadence: str) -> timedelta:
    """How late a run of this cadence may be."""
    return MAX_STALENESS[Cadence(cadence)]


def _backwards(offer: CadenceOffer, at: datetime) -> Iterator[Period]:
    """Periods of the offer from some that lie after `at` into the past, newest first."""
    if offer.cadence == Cadence.INSTANT or offer.send_at is None:
        raise NoSuchOffer(f"{offer.newsletter} has no hour for {offer.get_cadence_display().lower()}.")
    zone = ZoneInfo(offer.newsletter.time_zone)
    step = WEEK if offer.cadence == Cadence.WEEKLY else DAY
    # Two steps ahead and more than enough behind: zones have skipped whole days.
    day = at.astimezone(zone).date() + 2 * step
    for _ in range(8):
        run_day, key = _named(offer, day)
        yield Period(key=key, runs_at=instant(day=run_day, hour=offer.send_at, zone=zone))
        day -= step


def _named(offer: CadenceOffer, day: date) -> tuple[date, str]:
    """The day of the run in the period that holds `day`, and the key of that period."""
    if offer.cadence != Cadence.WEEKLY:
        return day, day.isoformat()
    year, week, _ = day.isocalendar()
    return date.fromisocalendar(year, week, (offer.weekday or 0) + 1), f"{year}-W{week:02}"


def _end_of_gap(*, earlier: datetime, later: datetime, zone: ZoneInfo) -> datetime:
    """The first instant with the new offset, which lies in (earlier, later]; to the second."""
    new = later.astimezone(zone).utcoffset()
    low, high = int(earlier.timestamp()), int(later.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == new:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)


def _is_composed(run: Due) -> bool:
    return Issue.objects.filter(
        newsletter=run.newsletter, kind=Issue.Kind.DIGEST, cadence=run.cadence, period_key=run.period_key
    ).exists()
