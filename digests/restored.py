"""After a restore of the database: nothing that may have left already is sent again automatically.

In a restored backup, or a lagging replica that took over, copies are pending that readers already have, sent
digests are not yet composed, delivered letters are due. Only a person knows the age of the backup. This module
settles what can be settled, and holds the rest until a person decides.
"""

from __future__ import annotations

import dataclasses
import logging
from datetime import datetime, timedelta

from django.db import connection, models, transaction
from django.db.models import Q
from django.db.models.functions import Now

from core.reasons import Reason
from digests import approval, composing, delivery_reasons, issue_reasons
from digests.delivery_reasons import DeliveryReason
from digests.issue_reasons import IssueReason
from digests.models import Delivery, Issue
from digests.sending import send_journal
from subscribers.letter_reasons import LetterReason
from subscribers.models import Letter

log = logging.getLogger(__name__)

State = Issue.State
LOOK_AGAIN = IssueReason.RESTORED
SOME_UNCERTAIN = IssueReason.RESTORED_UNCERTAIN
UNKNOWN = IssueReason.RESTORED_UNKNOWN
MAY_HAVE_LEFT = DeliveryReason.MAY_HAVE_LEFT
# A letter that has waited for longer left before the restore.
LETTERS_OLDER_THAN = timedelta(hours=1)
# No running process holds a fence this far above the last known one.
FENCES_AHEAD = 1_000_000


class RedisAway(Exception):
    """Redis does not answer, so it is unknown what left."""


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """The result: issues that are paused now, issues that are drafts again, numbers of copies and letters."""

    paused: list[Issue]
    drafts: list[Issue]
    uncertain: int
    letters: int


def hold(*, now: datetime) -> Held:
    """Pause issues that were being sent, turn due ones into drafts, call copies uncertain that may have left.

    May be repeated. On failure: RedisAway; then it must be repeated. An empty Redis is no failure: then nothing is
    known about the copies.
    """
    if not send_journal.redis_breaker.ask(lambda client: client.ping()):
        raise RedisAway
    # The digests that would be composed next may have left before the restore.
    composing.compose_due(now=now, approve=False)
    with transaction.atomic():
        under_way = Issue.objects.select_for_update(no_key=True).filter(state__in=[State.SENDING, State.PAUSED])
        paused = list(under_way.order_by("pk"))
        uncertain = sum(_pause(issue) for issue in paused)
        letters = _give_up_letters(now)
        fence = _skip_fences()
        drafts = _reopen(now)
    # Only now: journal entries must count until they are settled.
    if not send_journal.acknowledge(fence=fence):
        raise RedisAway
    log.warning("the database was restored: %s issues are paused, %s are drafts", len(paused), len(drafts))
    return Held(paused, drafts, uncertain, letters)


def _reopen(now: datetime) -> list[Issue]:
    """Due issues become drafts, and no draft is approved automatically."""
    waiting = Issue.objects.select_for_update(no_key=True).filter(state=State.DRAFT, approves_itself=True)
    drafts = [_hold_draft(issue) for issue in waiting.order_by("pk")]
    Issue.objects.filter(state=State.PREPARING).update(state=State.SCHEDULED)
    # All rows are locked before the first is written into the audit log, whose lock is the last that one may take.
    due = Issue.objects.select_for_update(no_key=True).filter(state=State.SCHEDULED, scheduled_for__lte=now)
    reason = Reason(LOOK_AGAIN)
    return drafts + [
        approval.reopen(issue=issue, reason=reason, actor=None, now=now) for issue in list(due.order_by("pk"))
    ]


def _hold_draft(issue: Issue) -> Issue:
    issue.approves_itself = False
    issue_reasons.set_reason(issue, LOOK_AGAIN)
    issue.save(update_fields=["approves_itself", *issue_reasons.FIELDS, "updated_at"])
    return issue


def _pause(issue: Issue) -> int:
    """Pause one issue; returns how many of its copies are uncertain."""
    highest = send_journal.highest(issue_id=issue.pk)
    if not highest and issue.state_reason == SOME_UNCERTAIN:
        return 0
    open_copies = Q(state__in=Delivery.OPEN) & Q(pk__lte=highest)
    uncertain = (
        Delivery.objects.under_way()
        .filter(open_copies, issue=issue)
        .update(
            state=Delivery.State.UNCERTAIN,
            **delivery_reasons.columns(MAY_HAVE_LEFT),
            fence=models.Func(models.Value("digests_fence"), function="nextval"),
            settled_at=Now(),
            lease_until=None,
            due_at=None,
        )
    )
    issue.state = State.PAUSED
    issue_reasons.set_reason(issue, SOME_UNCERTAIN if highest else UNKNOWN)
    issue.save(update_fields=["state", *issue_reasons.FIELDS, "updated_at"])
    return uncertain


def _give_up_letters(now: datetime) -> int:
    waiting = Letter.objects.filter(state__in=[Letter.State.PENDING, Letter.State.ATTEMPTING])
    return waiting.filter(created_at__lt=now - LETTERS_OLDER_THAN).update(
        state=Letter.State.EXPIRED, settled_at=now, lease_until=None, **Reason(LetterReason.MAY_HAVE_LEFT).columns()
    )


def _skip_fences() -> int:
    """Skip every fence that was drawn before the restore; returns the last of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval('digests_fence', GREATEST(last_value, %s) + %s) FROM digests_fence",
            [send_journal.highest_fence(), FENCES_AHEAD],
        )
        return int(cursor.fetchone()[0])
