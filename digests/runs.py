"""The record of scheduled runs: which was composed, which was missed, and the period key of each.

A missed run leaves a cancelled issue with the reason, so that an editor who looks for the digest finds out what
happened. Such an issue moves no window: its stories are in the next digest.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from digests import issue_reasons
from digests.calendar import DueRuns
from digests.issue_reasons import IssueReason
from digests.models import Issue
from subscribers import cadences
from subscribers.models import CadenceOffer
from subscribers.schedules import Period

MISSED: Final = IssueReason.RUN_UNSEEN
OVERTAKEN: Final = IssueReason.RUN_OVERTAKEN


def lock(*, offer: CadenceOffer) -> CadenceOffer:
    """The current row of the offer, locked: each digest of a series must see the stories of the one before."""
    offers = CadenceOffer.objects.select_related("newsletter").select_for_update(of=("self",), no_key=True)
    return offers.get(pk=offer.pk)


def record_missed(*, offer: CadenceOffer, due: DueRuns, now: datetime) -> None:
    """Store a cancelled issue for each run without a digest. The caller holds the lock of the offer."""
    for reason, missed in ((MISSED, due.missed), (OVERTAKEN, due.overtaken)):
        for run in missed:
            _record(offer, run, reason, now)
    if offer.runs_after is not None and offer.runs_after > (offer.recorded_until or offer.runs_after):
        _write(offer, recorded_until=offer.runs_after)


def is_covered(*, offer: CadenceOffer, run: Period) -> bool:
    """Whether there is a digest of this run, or one too close to it, which somebody composed early.

    Then the run is no longer due.
    """
    zone = ZoneInfo(offer.newsletter.time_zone)
    day = run.runs_at.astimezone(zone).date()
    apart = cadences.rhythm(offer.cadence).days_apart
    near = timedelta(days=apart + 1)
    digests = _series(offer).exclude(state=Issue.State.CANCELLED, planned_at__isnull=True)
    others = digests.filter(runs_at__range=(run.runs_at - near, run.runs_at + near)).values_list("runs_at", flat=True)
    if any(abs((day - other.astimezone(zone).date()).days) < apart for other in others if other):
        _write(offer, runs_after=run.runs_at, recorded_until=run.runs_at)
        return True
    return False


def with_free_key(*, offer: CadenceOffer, run: Period) -> Period:
    """The run with its usual key. If another run of that day or week has that key, its instant becomes the key."""
    if not _series(offer).filter(period_key=run.key).exists():
        return run
    return Period(key=f"{run.runs_at:%Y-%m-%d %H:%M} UTC", runs_at=run.runs_at)


def mark(*, offer: CadenceOffer, issue: Issue, now: datetime) -> None:
    """Record that a run was composed. The caller holds the lock of the offer.

    A digest by hand is not a run, and one for a future time is recorded when that time has come. A run without
    stories reached nobody, so the next digest need not keep its distance from it.
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
    """Store one cancelled issue, unless that day or week already has one."""
    if _series(offer).filter(period_key=run.key, state=Issue.State.CANCELLED).exists():
        return
    run = with_free_key(offer=offer, run=run)
    Issue.objects.create(
        newsletter=offer.newsletter, kind=Issue.Kind.DIGEST, cadence=offer.cadence, period_key=run.key,
        runs_at=run.runs_at, window_start=run.runs_at, window_end=run.runs_at, created_at=now,
        state=Issue.State.CANCELLED, **issue_reasons.columns(reason),
    )  # fmt: skip


def _series(offer: CadenceOffer) -> QuerySet[Issue]:
    issues = Issue.objects.filter(newsletter=offer.newsletter_id, kind=Issue.Kind.DIGEST, cadence=offer.cadence)
    return issues.filter(instead_of__isnull=True)


def _write(offer: CadenceOffer, **values: datetime | None) -> None:
    CadenceOffer.objects.filter(pk=offer.pk).update(**values)
    for name, value in values.items():
        setattr(offer, name, value)
