"""From approved to sending: the audience is planned over a snapshot that is still true."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from core import locks
from core.reasons import Reason
from digests import catching_up, freezing, issue_reasons
from digests.issue_reasons import IssueReason
from digests.models import Issue
from digests.sending import attempts, audience, send_journal
from digests.sending.pacing import windows
from subscribers import noes_replay

log = logging.getLogger(__name__)

State = Issue.State
STALE, STALE_DIGEST = IssueReason.STALE, IssueReason.STALE_DIGEST


def prepare(*, issue_id: int, now: datetime) -> bool:
    """Begin an approved issue that is due; return whether this call did.

    After: its audience is planned as a whole, so its lanes may run; or nothing has changed.

    May run any number of times, in several places at once: one plans, and the others return at once. When
    a story of it was withdrawn since the approval, an issue that a person approved becomes a draft again;
    one that its newsletter approved by itself is frozen again without that story. An issue that is stale is
    cancelled with the reason; one outside the hours in which issues leave stays as it is, and so does each
    in a database that has forgotten what left.
    """
    if not is_due(issue_id=issue_id, now=now) or send_journal.is_behind(issue_id=issue_id):
        return False
    # Readers who left since a backup that was restored have left again before the readers are counted.
    if not _may_begin(issue_id, now) or not noes_replay.is_done(now=now):
        return False
    Issue.objects.filter(pk=issue_id, state=State.SCHEDULED, scheduled_for__lte=now).update(state=State.PREPARING)
    with locks.advisory_lock(f"plan {issue_id}") as held:
        return held and _begin(issue_id, now)


def begin_in_its_place(*, issue_id: int, now: datetime) -> list[int]:
    """Make the issues that some readers get in place of one that was just begun; return their ids, to be prepared."""
    return catching_up.compose(issue=Issue.objects.select_related("newsletter").get(pk=issue_id), now=now)


def is_due(*, issue_id: int, now: datetime) -> bool:
    """Whether the issue is approved, its hour has come, and its audience is not planned."""
    return _due(now).filter(pk=issue_id).exists()


def _due(now: datetime) -> QuerySet[Issue]:
    return Issue.objects.filter(state__in=[State.SCHEDULED, State.PREPARING], scheduled_for__lte=now)


def _begin(issue_id: int, now: datetime) -> bool:
    if not _is_still_true(issue_id, now):
        return False
    with transaction.atomic():
        issue = _preparing(issue_id).select_related("newsletter", "instead_of").first()
        if issue is None:
            return False
        audience.plan(issue=issue, now=now)
        # The issue's row is touched last, so that nobody waits for it while a large audience is planned. Whatever
        # happened to the issue meanwhile counts, and the plan is undone.
        planned = {name: getattr(issue, name) for name in audience.PLANNED_FIELDS}
        times = {"started_at": now, "planned_at": now, "updated_at": now}
        if not _preparing(issue_id).update(state=State.SENDING, **planned, **times):
            transaction.set_rollback(True)
            return False
    log.info("issue %s is being sent to %s readers", issue_id, issue.audience_count)
    return True


def _preparing(issue_id: int) -> QuerySet[Issue]:
    return Issue.objects.filter(pk=issue_id, state=State.PREPARING)


@transaction.atomic
def _is_still_true(issue_id: int, now: datetime) -> bool:
    """Whether the issue may be planned as it is; if not, it has become what `prepare` says."""
    issue = _preparing(issue_id).select_for_update(no_key=True).first()
    return issue is not None and _still_true(issue, now)


def _may_begin(issue_id: int, now: datetime) -> bool:
    issue = _due(now).select_related("newsletter").filter(pk=issue_id).first()
    if issue is None:
        return False
    if windows.is_stale(issue=issue, now=now):
        reason = STALE_DIGEST if issue.kind == Issue.Kind.DIGEST else STALE
        _due(now).filter(pk=issue_id).update(state=State.CANCELLED, **issue_reasons.columns(reason))
        log.error("issue %s was not sent: it is stale", issue_id)
        return False
    return windows.is_open(issue=issue, now=now)


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
