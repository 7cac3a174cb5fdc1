"""Send what failed once more: exactly those copies of a finished issue that certainly did not arrive and still may.

The same rows become pending again, as for the rest of a cancelled issue (decisions/0121), so nobody whose copy was
accepted, or may have been, gets another. What a server said of the mailbox itself is not asked again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q, QuerySet, Sum
from django.utils.translation import gettext as _

from digests import permissions, requeuing, rest, stats
from digests.delivery_reasons import DeliveryReason
from digests.models import Delivery, Issue, IssueOutcome
from digests.sending import tasks
from postal.answers import Cause
from staff import audit
from staff.audit_actions import AuditAction
from subscribers.models import Subscriber

# Refusals that spoke of us, of the connection or of the moment. The others are the mailbox's own, or were reported
# after the copy had left.
MAY_PASS: Final = (
    Cause.ABOUT_US,
    Cause.MAILBOX_FULL,
    Cause.PASSING,
    Cause.GIVEN_UP,
    Cause.CONNECTION_LOST,
    Cause.NO_SESSION,
    Cause.NOT_HANDED_OVER,
    Cause.PROVIDER_ANSWERED,
    Cause.NOT_REACHED,
    Cause.NOT_SENT,
)
FAILED: Final = Q(state__in=[Delivery.State.EXPIRED, Delivery.State.RENDER_FAILED]) | Q(
    state=Delivery.State.REJECTED, reason__in=[str(cause) for cause in MAY_PASS]
)
FINISHED: Final = (Issue.State.SENT, Issue.State.SENT_WITH_EXCEPTIONS)


class NotAllowed(Exception):
    """The failed copies of this issue cannot be sent again; str() is a sentence for a person."""


def size(*, issue: Issue) -> int:
    """How many copies of a finished issue failed for a reason that may pass; 0 once their list was dropped."""
    if issue.state not in FINISHED or stats.is_dropped(issue):
        return 0
    stored = IssueOutcome.objects.filter(FAILED, issue=issue)
    return int(stored.aggregate(copies=Sum("copies"))["copies"] or 0)


def copies(*, issue: Issue, now: datetime) -> QuerySet[Delivery]:
    """Those copies whose readers may be mailed now; the others have left, paused or bounced since."""
    failed = Delivery.objects.filter(FAILED, issue=issue)
    return failed.filter(subscriber__in=issue.eligible(now=now).values("subscriber_id"))


@transaction.atomic
def send(*, issue: Issue, actor: AbstractBaseUser | None, now: datetime) -> int:
    """Let the failed copies leave once more; return how many. On failure: NotAllowed, and nothing has changed.

    After: the issue is being sent, and ends again. The time that a late copy has counts from now. Who may not be
    mailed keeps the outcome of before.
    """
    permissions.require(permissions.SEND, user=actor, issue=issue)
    locked = Issue.objects.select_for_update(of=("self",), no_key=True).select_related("snapshot").get(pk=issue.pk)
    if not size(issue=locked):
        raise NotAllowed(_("No copy of this issue failed for a reason that may pass."))
    try:
        rest.check_content(issue=locked)
    except rest.NotAllowed as refusal:
        raise NotAllowed(str(refusal)) from None
    chosen = copies(issue=locked, now=now)
    readers = Subscriber.objects.select_for_update(no_key=True).filter(pk__in=chosen.values("subscriber_id"))
    held = list(readers.order_by("pk").values_list("pk", flat=True))
    count = requeuing.copies(
        Delivery.objects.filter(FAILED, issue=locked, subscriber__in=held),
        reason=DeliveryReason.SENT_AGAIN,
        attempts=0,
        disturbances=0,
        render_failures=0,
    )
    if not count:
        raise NotAllowed(_("None of those readers may be mailed now."))
    requeuing.issue(issue_id=issue.pk, now=now, rest_at=now)
    tasks.hint_wake(issue.pk)
    audit.record(action=AuditAction.FAILED_RESENT, actor=actor, target=locked, now=now, count=count)
    issue.refresh_from_db()
    return count
