"""The end of an issue: every copy is accounted for."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Exists, QuerySet
from django.db.models.functions import Coalesce, Now

from core.reasons import Reason
from digests import delivery_reasons, issue_outcomes, issue_reasons, requeuing
from digests.delivery_reasons import DeliveryReason
from digests.feedback import processing
from digests.issue_reasons import IssueReason
from digests.models import Delivery, Issue
from digests.sending.pacing import windows
from postal.answers import Cause
from subscribers.models import Subscriber, Subscription

log = logging.getLogger(__name__)

CANCELLED_AT_ONCE = 10_000
# As a copy that moves to another partition locks its reader by the foreign key: an erasure waits, or came first.
HOLD_READERS = "SELECT id FROM subscribers_subscriber WHERE id = ANY(%s::bigint[]) ORDER BY id FOR KEY SHARE"


def close(*, issue_id: int, now: datetime) -> Issue.State | None:
    """Close an issue that has no open copy; return its state then, None before its end.

    One that was closed with exceptions is looked at again: a late answer may have settled the last of them.

    Conservation: the audience that was planned is the sum over the outcomes, which are stored in the same
    transaction. An issue is `sent` only when that holds and no reader may be without a copy. Readers who were
    refused as gone are suppressed by then, so that the next issue's audience is without them.
    """
    processing.settle_refusals(issue_id=issue_id, now=now)
    return _close(issue_id, now)


@transaction.atomic
def _close(issue_id: int, now: datetime) -> Issue.State | None:
    ending = [Issue.State.SENDING, Issue.State.SENT_WITH_EXCEPTIONS]
    issue = Issue.objects.filter(pk=issue_id, state__in=ending).select_for_update(no_key=True).first()
    if issue is None or issue.rest_waits or _open(issue_id).exists():
        return None
    counts = issue_outcomes.record(issue_id=issue_id)
    known = issue.state, issue.state_reason, issue.state_reason_parameters
    issue_reasons.set_reason(issue, _exceptions(counts, issue.audience_count or 0))
    issue.state = Issue.State.SENT_WITH_EXCEPTIONS if issue.state_reason else Issue.State.SENT
    if known == (issue.state, issue.state_reason, issue.state_reason_parameters):
        return None
    issue.finished_at = issue.finished_at or now
    issue.save(update_fields=["state", *issue_reasons.FIELDS, "finished_at", "updated_at"])
    log.info("issue %s is %s", issue_id, issue.state)
    return Issue.State(issue.state)


def _exceptions(counts: Counter[str], audience: int) -> Reason:
    total = counts.total()
    if total != audience:
        return Reason(IssueReason.AUDIENCE_DIFFERS, {"audience": audience, "copies": total})
    without = {state: counts[state] for state in Delivery.EXCEPTIONS if counts.get(state)}
    return Reason(IssueReason.EXCEPTIONS, without) if without else Reason()


def give_up(*, issue_id: int, now: datetime) -> int:
    """Let expire what has not left of an issue whose time is over; return how many copies."""
    issue = Issue.objects.under_way().filter(pk=issue_id).first()
    if issue is None or not windows.is_over(issue=issue, now=now):
        return 0
    # What waits for its reader's hour is skipped if it could not leave then (`claims.miss`).
    waiting = _waiting(issue_id).exclude(reason=DeliveryReason.READERS_HOUR)
    expired = {"state": Delivery.State.EXPIRED, "settled_at": Now(), "due_at": None}
    # A full mailbox stays on record: `soft_bounces` counts it.
    given_up = waiting.filter(reason=Cause.MAILBOX_FULL).update(**expired)
    given_up += waiting.update(**expired, **delivery_reasons.columns(DeliveryReason.TIME_OVER))
    if given_up:
        log.error("%s copies of issue %s were not sent: its time is over", given_up, issue_id)
    return given_up


def sweep_cancelled(*, issue_id: int) -> int:
    """Cancel what has not left of a cancelled issue; return how many copies. Those in flight settle themselves.

    If a story of a digest was withdrawn while it was sent, its text can leave no more: the next issue brings those
    readers its other stories. After: the issue has its end and its outcomes on record once no copy of it is open.
    """
    total = 0
    # Not a join: an UPDATE over one asks for the copies by a subquery, and would not look again at the state of one
    # that a lane took up while it waited for the row.
    cancelled = Exists(Issue.objects.filter(pk=issue_id, state=Issue.State.CANCELLED))
    while True:
        waiting = _waiting(issue_id).filter(cancelled)
        chosen = list(waiting.order_by("pk").values_list("pk", flat=True)[:CANCELLED_AT_ONCE])
        if not chosen:
            break
        total += _cancel(issue_id, waiting.filter(pk__in=chosen))
    _end_cancelled(issue_id)
    return total


@transaction.atomic
def _cancel(issue_id: int, copies: QuerySet[Delivery]) -> int:
    spoilt = Issue.objects.filter(pk=issue_id, kind=Issue.Kind.DIGEST, state_reason=IssueReason.STORY_WITHDRAWN_LATE)
    newsletter = spoilt.values_list("newsletter", flat=True).first()
    if newsletter is None:
        state, reason = Delivery.State.CANCELLED, DeliveryReason.ISSUE_CANCELLED
    else:
        state, reason = Delivery.State.SUPPRESSED, DeliveryReason.STORY_WITHDRAWN
        readers = [reader for reader in copies.values_list("subscriber_id", flat=True) if reader is not None]
        # Readers before copies, as everywhere.
        list(Subscriber.objects.select_for_update(no_key=True).filter(pk__in=readers).order_by("pk").values_list("pk"))
        rows = Subscription.objects.filter(newsletter=newsletter, subscriber__in=readers)
        rows.update(out_of_step_since=Coalesce("out_of_step_since", Now()))
    return copies.update(state=state, settled_at=Now(), due_at=None, **delivery_reasons.columns(reason))


def reinstate(*, issue_id: int) -> int:
    """Make the cancelled copies of an issue whose rest is to be sent pending again; return how many.

    May run any number of times, and end anywhere: what is not done is done by the next wake-up. After: nothing of
    the issue is cancelled, and it may close; or it is not being sent any more, and the rest waits.
    """
    total = 0
    while Issue.objects.under_way().filter(pk=issue_id, rest_waits=True).exists():
        total += _reinstate_some(issue_id)
    return total


@transaction.atomic
def _reinstate_some(issue_id: int) -> int:
    """The issue, then readers, then copies are locked, as everywhere."""
    asked = Issue.objects.under_way().filter(pk=issue_id, rest_waits=True)
    if not asked.select_for_update(no_key=True).exists():
        return 0
    cancelled = Delivery.objects.filter(issue_id=issue_id, state=Delivery.State.CANCELLED)
    chosen = dict(cancelled.order_by("pk").values_list("pk", "subscriber_id")[:CANCELLED_AT_ONCE])
    if not chosen:
        asked.update(rest_waits=False)
        return 0
    readers = [reader for reader in chosen.values() if reader is not None]
    with connection.cursor() as cursor:
        cursor.execute(HOLD_READERS, [sorted(readers)])
    return requeuing.copies(cancelled.filter(pk__in=chosen))


@transaction.atomic
def _end_cancelled(issue_id: int) -> None:
    cancelled = Issue.objects.filter(pk=issue_id, state=Issue.State.CANCELLED, finished_at__isnull=True)
    issue = cancelled.select_for_update(no_key=True).first()
    if issue is None or _open(issue_id).exists():
        return
    issue_outcomes.record(issue_id=issue_id)
    cancelled.update(finished_at=Now())


def _open(issue_id: int) -> QuerySet[Delivery]:
    return Delivery.objects.under_way().filter(issue_id=issue_id, state__in=Delivery.OPEN)


def _waiting(issue_id: int) -> QuerySet[Delivery]:
    """Copies that are in no lane's hands."""
    return _open(issue_id).filter(state__in=[Delivery.State.PENDING, Delivery.State.DEFERRED])
