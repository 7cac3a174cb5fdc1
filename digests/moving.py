"""Move an issue that has not begun to leave to another hour: a draft by its plan, an approved one by a new approval."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext as _

from digests import approval, composing, freezing, permissions, second_person
from digests.models import Issue
from digests.preflight import checking
from staff import audit
from staff.audit_actions import AuditAction

State = Issue.State
MOVABLE = (State.DRAFT, State.SCHEDULED)


class NotAllowed(Exception):
    """The issue cannot be moved to this hour; str() is a sentence for a person."""


REFUSALS = (
    NotAllowed, approval.NotAllowed, checking.Blocked, freezing.NotFrozen, second_person.NotAllowed,
)  # fmt: skip


def right(*, issue: Issue) -> str:
    """The right that moving the issue needs now."""
    return permissions.SEND if issue.state == State.SCHEDULED else permissions.CHANGE


def move(*, issue: Issue, when: datetime, actor: AbstractBaseUser | None, now: datetime) -> Issue:
    """Let the issue leave at this hour: a draft once it is approved, an approved one by a new approval.

    On failure: one of REFUSALS or PermissionDenied, and nothing has changed.
    """
    if when <= now:
        raise NotAllowed(_("This hour is over. Choose a later day."))
    if Issue.objects.filter(pk=issue.pk, state=State.DRAFT).exists():
        return _plan(issue, when, actor, now)
    return approval.move(issue=issue, when=when, actor=actor, now=now)


@transaction.atomic
def _plan(issue: Issue, when: datetime, actor: AbstractBaseUser | None, now: datetime) -> Issue:
    permissions.require(permissions.CHANGE, user=actor, issue=issue)
    locked = Issue.objects.select_for_update(of=("self",), no_key=True).get(pk=issue.pk)
    if not composing.is_editable(issue=locked):
        raise NotAllowed(_("Somebody approved this issue meanwhile. Look at it again."))
    Issue.objects.filter(pk=issue.pk).update(scheduled_for=when, updated_at=now)
    second_person.edited(issue=issue, actor=actor)
    audit.record(action=AuditAction.ISSUE_MOVED, actor=actor, target=issue, now=now, scheduled_for=when.isoformat())
    issue.refresh_from_db()
    return issue
