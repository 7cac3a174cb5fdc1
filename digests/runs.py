"""The clock's record of runs: which was made, which went by unseen, and the name that each has.

A run that nobody composed leaves a cancelled issue with the reason, so that an editor who looks for a digest
finds out what became of it. Such an issue moves no window: its stories are in the next digest.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from digests import issue_reasons
from digests.calendar import Owed
from digests.issue_reasons import IssueReason
from digests.models import Issue
from subscribers import cadences
from subscribers.models import CadenceOffer
from subscribers.schedules import Period

MISSED: Final = IssueReason.RUN_UNSEEN
OVERTAKEN: Final = IssueReason.RUN_OVERTAKEN


def lock(*, offer: CadenceOffer) -> CadenceOffer:
    """The offer as it is now, locked: each digest of a line has to see what the one before has."""
    offers = CadenceOffer.objects.select_related("newsletter").select_for_update(of=("self",), no_key=True)
    return offers.get(pk=offer.pk)


def record_unseen(*, offer: CadenceOffer, owed: Owed, now: datetime) -> None:
    """Leave a cancelled issue for each run of which there was no digest. The caller holds the lock of the offer."""
    for reason, unseen in ((MISSED, owed.missed), (OVERTAKEN, owed.overtaken)):
        for run in unseen:
            _record(offer, run, reason, now)
    if offer.runs_after is not None and offer.runs_after > (offer.recorded_until or offer.runs_after):
        _write(offer, recorded_until=offer.runs_after)


def had(*, offer: CadenceOffer, run: Period) -> bool:
    """Whether there is a digest of this run, or one too close to it: somebody asked for it before its time.

    Then it is no longer due.
    """
    zone = ZoneInfo(offer.newsletter.time_zone)
    day = run.runs_at.astimezone(zone).date()
    apart = cadences.rhythm(offer.cadence).days_apart
    near = timedelta(days=apart + 1)
    digests = _line(offer).exclude(state=Issue.State.CANCELLED, planned_at__isnull=True)
    others = digests.filter(runs_at__range=(run.runs_at - near, run.runs_at + near)).values_list("runs_at", flat=True)
    if any(abs((day - other.astimezone(zone).date()).days) < apart for other in others if other):
        _write(offer, runs_after=run.runs_at, recorded_until=run.runs_at)
        return True
    return False


def with_free_key(*, offer: CadenceOffer, run: Period) -> Period:
    """The run with its usual key, or with its instant for one where another run of that day or week has it."""
    if not _line(offer).filter(period_key=run.key).exists():
        return run
    return Period(key=f"{run.runs_at:%Y-%m-%d %H:%M} UTC", runs_at=run.runs_at)


def mark(*, offer: CadenceOffer, issue: Issue, now: datetime) -> None:
    """Note that a run was made. The caller holds the lock of the offer.

    A digest by hand is no run, and one whose time is to come is noted when it has come. One without stories
    reached nobody: it is over, and keeps no other at a distance.
    """
    if issue.runs_at is None or issue.runs_at > now:
        return
    over = max(filter(None, [offer.runs_after, issue.runs_at]))
    recorded = max(filter(None, [offer.recorded_until, issue.runs_at]))
    last = offer.last_run_at
    if issue.state != Issue.State.CANCELLED:
        last = max(filter(None, [last, issue.runs_at]))
    _write(offer, runs_after=over, recorded_until=recorded, last_run_at=last)


def _record(offer: CadenceOffer, run: Period, reason: IssueReason, now: datetime) -> None:
    """One row; none if the day or week has a cancelled one already."""
    if _line(offer).filter(period_key=run.key, state=Issue.State.CANCELLED).exists():
        return
    run = with_free_key(offer=offer, run=run)
    Issue.objects.create(
        newsletter=offer.newsletter, kind=Issue.Kind.DIGEST, cadence=offer.cadence, period_key=run.key,
        runs_at=run.runs_at, window_start=run.runs_at, window_end=run.runs_at, created_at=now,
        state=Issue.State.CANCELLED, **issue_reasons.columns(reason),
    )  # fmt: skip


def _line(offer: CadenceOffer) -> QuerySet[Issue]:
    return Issue.objects.filter(newsletter=offer.newsletter_id, kind=Issue.Kind.DIGEST, cadence=offer.cadence)


def _write(offer: CadenceOffer, **values: datetime | None) -> None:
    CadenceOffer.objects.filter(pk=offer.pk).update(**values)
    for name, value in values.items():
        setattr(offer, name, value)
