"""From approved to sending: the audience is planned over a snapshot that is still true."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from core import locks
from core.reasons import Reason
from digests import freezing, issue_reasons
from digests.issue_reasons import IssueReason
from digests.models import Issue
from digests.sending import attempts, audience, draining, send_journal
from digests.sending.pacing import windows

log = logging.getLogger(__name__)

State = Issue.State
STALE, STALE_DIGEST = IssueReason.STALE, IssueReason.STALE_DIGEST


def prepare(*, issue_id: int, now: datetime) -> bool:
    """Begin an approved issue whose hour has come; return whether this call did.

    After: the first portion of its audience is planned, so its lanes may run; `complete` plans the rest.

    May run any number of times, in several places at once. When a story of it was withdrawn since
    the approval, an issue that a person approved becomes a draft again; one that its newsletter
    approved by itself is frozen anew without that story. An issue that is stale is cancelled with
    the reason; one outside the hours in which issues leave stays as it is.
    """
    if not _may_begin(issue_id, now):
        return False
    Issue.objects.filter(pk=issue_id, state=State.SCHEDULED, scheduled_for__lte=now).update(state=State.PREPARING)
    with transaction.atomic():
        issue = Issue.objects.select_for_update().filter(pk=issue_id, state=State.PREPARING).first()
        if issue is None or not _still_true(issue, now):
            return False
        _start(issue, now)
    log.info("issue %s is being sent, first to %s readers", issue_id, issue.audience_count)
    return True


def complete(*, issue_id: int, now: datetime, planned: Callable[[], object] = lambda: None) -> bool:
    """Plan what is missing of the audience of an issue that has begun; return whether it is to be looked at again.

    Runs beside the lanes, in one place at a time, for at most LANE_SECONDS and a portion; whoever meets
    another at it returns False at once. `planned` is called after each portion but the last. A portion is
    there as a whole or not at all, so any process may go on where one died. A pause does not stop it; of an
    issue that was cancelled nothing more is planned, nor in a database that has forgotten what left.
    """
    if not is_half_planned(issue_id=issue_id):
        return False
    ends_at = time.monotonic() + settings.SENDING.lane_seconds
    with locks.advisory_lock(f"plan {issue_id}") as held:
        if not held:
            return False
        while not send_journal.is_behind(issue_id=issue_id) and _plan_more(issue_id, now):
            if draining.asked() or time.monotonic() >= ends_at:
                break
            planned()
    return True


def is_half_planned(*, issue_id: int) -> bool:
    """Whether there are readers who were not looked at yet."""
    return _unfinished(issue_id).exists()


def _unfinished(issue_id: int) -> QuerySet[Issue]:
    return Issue.objects.filter(pk=issue_id, state__in=[State.SENDING, State.PAUSED], readers_after__isnull=False)


def _plan_more(issue_id: int, now: datetime) -> bool:
    """One more portion; whether there is another. The issue's row, which every lane holds, is touched last."""
    with transaction.atomic():
        issue = _unfinished(issue_id).first()
        if issue is None:
            return False
        began_after = issue.readers_after
        audience.plan(issue=issue, now=now)
        reached = {name: getattr(issue, name) for name in audience.REACHED}
        if not _unfinished(issue_id).filter(readers_after=began_after).update(**reached):
            transaction.set_rollback(True)
            return False
    log.info(
        "issue %s has %s readers%s", issue_id, issue.audience_count, "" if issue.readers_after is None else " so far"
    )
    return issue.readers_after is not None


def _may_begin(issue_id: int, now: datetime) -> bool:
    due = Issue.objects.filter(state__in=[State.SCHEDULED, State.PREPARING], scheduled_for__lte=now)
    issue = due.select_related("newsletter").filter(pk=issue_id).first()
    if issue is None:
        return True
    if windows.is_stale(issue=issue, now=now):
        reason = STALE_DIGEST if issue.kind == Issue.Kind.DIGEST else STALE
        due.filter(pk=issue_id).update(state=State.CANCELLED, **issue_reasons.columns(reason))
        log.error("issue %s was not sent: it is stale", issue_id)
        return False
    return windows.is_open(issue=issue, now=now)


def _start(issue: Issue, now: datetime) -> None:
    audience.plan(issue=issue, now=now)
    issue.planned_at = issue.started_at = now
    issue.state = State.SENDING
    issue.save(update_fields=[*audience.REACHED, "planned_at", "started_at", "state", "updated_at"])


def _still_true(issue: Issue, now: datetime) -> bool:
    withdrawn = attempts.withdrawn_story(issue_id=issue.pk)
    if withdrawn is None and freezing.verify(snapshot=issue.snapshot):
        return True
    issue.snapshot.delete()
    issue = Issue.objects.get(pk=issue.pk)
    if withdrawn is not None and issue.approved_by_id is None:
        try:
            freezing.freeze(issue=issue, now=now)
        except freezing.NotFrozen as refusal:
            return _stop(issue, State.CANCELLED, Reason(IssueReason.NOT_FROZEN, {"text": str(refusal)}))
        return True
    if withdrawn is not None:
        return _stop(issue, State.DRAFT, Reason(IssueReason.STORY_WITHDRAWN, {"story": withdrawn}))
    return _stop(issue, State.DRAFT, Reason(IssueReason.TEXT_DAMAGED))


def _stop(issue: Issue, state: Issue.State, reason: Reason) -> bool:
    log.warning("issue %s was not sent: its content is no longer what was approved", issue.pk)
    Issue.objects.filter(pk=issue.pk).update(
        state=state, approved_by=None, approved_at=None, **issue_reasons.columns(reason)
    )
    return False
