"""What the clock owes: the digests that are due by now, those that went by unseen, and how late one may be.

The clock ticks in UTC once a minute. What a tick means is computed by `subscribers.schedules` from rows, so a late
tick, a second beat or a change to summer time moves nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfoNotFoundError

from subscribers import cadences, schedules
from subscribers.models import CadenceOffer
from subscribers.schedules import Period

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Owed:
    """What has to be done about an offer: the run to compose, and those to record, oldest first."""

    run: Period | None
    # No clock ran at their hour.
    missed: tuple[Period, ...] = ()
    # Their hour had passed when the schedule was changed.
    overtaken: tuple[Period, ...] = ()


def due(*, now: datetime) -> list[CadenceOffer]:
    """The offers with a run that has to be composed or recorded.

    Only the latest run is composed: after an outage of a week a daily newsletter catches up one, whose window
    holds the stories of all. A run before the offer was active, or before its schedule was changed to what it
    is now, is never due.
    """
    schedules.note_changes(now=now)
    offers = CadenceOffer.objects.filter(is_active=True, cadence__in=cadences.DIGESTS)
    return [offer for offer in offers.select_related("newsletter") if _is_due(offer, now)]


def owed(*, offer: CadenceOffer, now: datetime) -> Owed:
    """What the clock owes of the offer. On failure: ZoneInfoNotFoundError."""
    pending = schedules.pending(offer=offer, now=now)
    overtaken = schedules.overtaken(offer=offer)
    change = offer.runs_after or now
    # A run long before a change did not fall victim to it.
    recent = [each for each in overtaken if each.runs_at > change - cadences.rhythm(offer.cadence).length]
    # Nothing is recorded of the time before the offer was first looked at.
    known = [each for each in pending[:-1] if offer.recorded_until and each.runs_at > offer.recorded_until]
    return Owed(pending[-1] if pending else None, (*overtaken[: len(overtaken) - len(recent)], *known), tuple(recent))


def is_stale(*, cadence: str, runs_at: datetime, now: datetime) -> bool:
    """True when a run is so late that it must be recorded as skipped instead of sent."""
    return now - runs_at > max_staleness(cadence=cadence)


def max_staleness(*, cadence: str) -> timedelta:
    """How late a run of this cadence may be."""
    return cadences.of(cadence).max_staleness


def _is_due(offer: CadenceOffer, now: datetime) -> bool:
    try:
        return owed(offer=offer, now=now) != Owed(None)
    except ZoneInfoNotFoundError:
        # A zone that went away with an update of the machine must not stop the other newsletters.
        log.exception("newsletter %s has a time zone that this machine does not know", offer.newsletter_id)
        return False
