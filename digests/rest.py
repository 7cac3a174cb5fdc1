"""Send the rest of a cancelled issue: exactly those copies of it that the cancellation kept back.

The issue itself is sent on (decisions/0121): the same rows become pending again, so a copy that was accepted, or that
may have arrived, cannot leave twice, and the copies still add up to the audience.
"""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext as _

from digests import freezing, permissions, requeuing, stats, variants
from digests.models import Delivery, Issue, IssueItem
from digests.sending import tasks
from staff import audit
from staff.audit_actions import AuditAction


class NotAllowed(Exception):
    """The rest of this issue cannot be sent; str() is a sentence for a person."""


def size(*, issue: Issue) -> int:
    """How many copies the cancellation kept back; 0 while some are in flight, and once their list was dropped."""
    if issue.state != Issue.State.CANCELLED or issue.finished_at is None or stats.is_dropped(issue):
        return 0
    return stats.progress(issue).by_state[Delivery.State.CANCELLED]


def readers(*, issue: Issue, now: datetime) -> int:
    """How many of those readers may be mailed now; the others have left, paused or bounced since."""
    kept_back = Delivery.objects.filter(issue=issue, state=Delivery.State.CANCELLED)
    return kept_back.filter(subscriber__in=issue.eligible(now=now).values("subscriber_id")).count()


@transaction.atomic
def send(*, issue: Issue, actor: AbstractBaseUser | None, now: datetime) -> Issue:
    """Let what a cancellation kept back leave after all. On failure: NotAllowed, and nothing has changed.

    After: the issue is being sent. Each reader who has no copy gets one, if eligible when it leaves; nobody
    whose copy was accepted or is uncertain gets another. The time that a late copy has counts from now.
    """
    permissions.require(permissions.SEND, user=actor, issue=issue)
    locked = Issue.objects.select_for_update(of=("self",), no_key=True).select_related("snapshot").get(pk=issue.pk)
    copies = size(issue=locked)
    _check(locked, copies)
    requeuing.issue(issue_id=issue.pk, now=now, rest_at=now, rest_waits=True)
    tasks.hint_wake(issue.pk)
    audit.record(action=AuditAction.ISSUE_REST_SENT, actor=actor, target=locked, now=now, copies=copies)
    issue.refresh_from_db()
    return issue


def _check(issue: Issue, copies: int) -> None:
    if issue.state != Issue.State.CANCELLED:
        raise NotAllowed(
            _("Only the rest of a cancelled issue can be sent; this one is %(state)s.")
            % {"state": issue.get_state_display().lower()}
        )
    if issue.planned_at is not None and issue.finished_at is None:
        raise NotAllowed(_("Copies of it are still on their way. Try again in a minute."))
    if not copies:
        raise NotAllowed(_("There is no rest: no copy of this issue is left that could be sent."))
    check_content(issue=issue)


def check_content(*, issue: Issue) -> None:
    """That the frozen text may go to more readers. On failure: NotAllowed."""
    item = IssueItem.objects.filter(issue=issue).gone().with_stories().first()
    gone = item.article.headline if item else variants.withdrawn(issue_id=issue.pk).first()
    if gone is not None:
        raise NotAllowed(
            _("“%(article)s” is not public any more, and the rest would get it. Send a new issue instead.")
            % {"article": gone}
        )
    if not freezing.verify(snapshot=issue.snapshot):
        raise NotAllowed(_("The frozen text was damaged in the database. Send a new issue instead."))
