"""Which scheduled digests are due, which runs were missed, and how late a run may be.

Celery beat ticks once a minute, in UTC. `subscribers.schedules` computes from rows what is due, so a late tick, a
second beat or a change to summer time changes nothing.
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
class DueRuns:
    """The work due for a cadence offer: the run to compose, and the runs to record, oldest first."""

    run: Period | None
    # The scheduler did not run at their time.
    missed: tuple[Period, ...] = ()
    # Their time had passed when the schedule was changed.
    overtaken: tuple[Period, ...] = ()


def due(*, now: datetime) -> list[CadenceOffer]:
    """The offers with a run that has to be composed or recorded.

    Only the latest run is composed. After an outage of a week a daily newsletter has one digest, whose window
    has the stories of the whole week. A run before the offer became active, or before the last change of its
    schedule, is never due.
    """
    schedules.note_changes(now=now)
    offers = CadenceOffer.objects.filter(is_active=True, cadence__in=cadences.DIGESTS)
    return [offer for offer in offers.select_related("newsletter") if _is_due(offer, now)]


def due_runs(*, offer: CadenceOffer, now: datetime) -> DueRuns:
    """The work due for this offer. On failure: ZoneInfoNotFoundError."""
    pending = schedules.pending(offer=offer, now=now)
    overtaken = schedules.overtaken(offer=offer)
    change = offer.runs_after or now
    # A change of the schedule affects only the runs shortly before it.
    recent = [each for each in overtaken if each.runs_at > change - cadences.rhythm(offer.cadence).length]
    # Runs before the offer was first examined are not recorded.
    known = [each for each in pending[:-1] if offer.recorded_until and each.runs_at > offer.recorded_until]
    return DueRuns(
        pending[-1] if pending else None, (*overtaken[: len(overtaken) - len(recent)], *known), tuple(recent)
    )


def is_stale(*, cadence: str, runs_at: datetime, now: datetime) -> bool:
    """True if a run is so late that it is recorded as skipped instead of sent."""
    return now - runs_at > max_staleness(cadence=cadence)


def max_staleness(*, cadence: str) -> timedelta:
    """How late a run of this cadence may be."""
    return cadences.of(cadence).max_staleness


def _is_due(offer: CadenceOffer, now: datetime) -> bool:
    try:
        return due_runs(offer=offer, now=now) != DueRuns(None)
    except ZoneInfoNotFoundError:
        # A zone that an update of the host removed must not stop the other newsletters.
        log.exception("newsletter %s has a time zone that this machine does not know", offer.newsletter_id)
        return False
