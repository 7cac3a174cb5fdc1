"""Decisions of a person about uncertain copies: accept them, or send them again. Nothing is automatic."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from digests import delivery_reasons, issue_outcomes, permissions, requeuing
from digests.delivery_reasons import DeliveryReason
from digests.models import Delivery, Issue
from digests.sending import tasks
from staff import audit
from staff.audit_actions import AuditAction
from subscribers.models import Subscriber


class NotAllowed(Exception):
    """The issue does not allow this; str() is a sentence for a person."""


@transaction.atomic
def accept(*, issue: Issue, deliveries: Collection[int] | None, actor: AbstractBaseUser | None, now: datetime) -> int:
    """Call uncertain copies of the issue accepted; None means all of them. Returns how many."""
    permissions.require(permissions.SEND, user=actor, issue=issue)
    # Lock the issue before its copies, as `resend` does; the reverse order could deadlock.
    locked = Issue.objects.select_for_update(no_key=True).get(pk=issue.pk)
    count = _chosen(issue, deliveries).update(
        state=Delivery.State.ACCEPTED, settled_at=now, **delivery_reasons.columns(DeliveryReason.CALLED_ACCEPTED)
    )
    if count and locked.finished_at is not None:
        issue_outcomes.record(issue_id=issue.pk)
    issue_outcomes.lift_exceptions(issue_id=issue.pk)
    if count:
        audit.record(action=AuditAction.UNCERTAIN_ACCEPTED, actor=actor, target=issue, now=now, count=count)
    return count


@transaction.atomic
def resend(*, issue: Issue, deliveries: Collection[int] | None, actor: AbstractBaseUser | None, now: datetime) -> int:
    """Send uncertain copies again; None means all of them. A reader may get two, so a person decides.

    A finished issue is being sent again afterwards. Returns how many; raises NotAllowed for a
    cancelled issue.
    """
    permissions.require(permissions.SEND, user=actor, issue=issue)
    locked = Issue.objects.select_for_update(no_key=True).get(pk=issue.pk)
    if locked.state == Issue.State.CANCELLED:
        raise NotAllowed(_("This issue was cancelled; its copies cannot be sent again."))
    chosen = _chosen(locked, deliveries)
    # Readers before copies, as everywhere: a copy that comes back from a month locks its reader.
    list(
        Subscriber.objects.select_for_update(no_key=True)
        .filter(pk__in=chosen.values("subscriber_id"))
        .order_by("pk")
        .values_list("pk")
    )
    count = requeuing.copies(chosen, reason=DeliveryReason.SENT_AGAIN)
    if count and locked.state == Issue.State.SENT_WITH_EXCEPTIONS:
        requeuing.issue(issue_id=issue.pk, now=now)
    if count:
        tasks.hint_wake(issue.pk)
        audit.record(action=AuditAction.UNCERTAIN_RESENT, actor=actor, target=issue, now=now, count=count)
    return count


def _chosen(issue: Issue, deliveries: Collection[int] | None) -> models.QuerySet[Delivery]:
    uncertain = Delivery.objects.filter(issue=issue, state=Delivery.State.UNCERTAIN)
    return uncertain if deliveries is None else uncertain.filter(pk__in=deliveries)
