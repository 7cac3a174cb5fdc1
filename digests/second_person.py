"""Approval by a second person, where the newsletter asks for it: who changed an issue does not approve it."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser, User
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from digests import permissions
from digests.models import Issue
from staff import audit
from staff.audit_actions import AuditAction


class NotAllowed(Exception):
    """This person may not do that with the issue now; str() is a sentence for a person."""


def may_approve(*, issue: Issue, actor: AbstractBaseUser | None) -> bool:
    """Whether the newsletter lets this person approve the issue. Commands are the administrator's, who may."""
    if actor is None or not issue.newsletter.second_person_approves:
        return True
    return actor.pk != issue.asked_by_id and not issue.editors.filter(pk=actor.pk).exists()


def check(*, issue: Issue, actor: AbstractBaseUser | None) -> None:
    """Return if this person may approve the issue. On failure: NotAllowed."""
    if not may_approve(issue=issue, actor=actor):
        raise NotAllowed(
            _(
                "You changed this issue, or asked for its approval, and %(newsletter)s asks for a second person. "
                "Ask somebody to approve it."
            )
            % {"newsletter": issue.newsletter}
        )


@transaction.atomic
def ask(*, issue: Issue, actor: AbstractBaseUser, now: datetime) -> Issue:
    """Ask for somebody else's approval of a draft. On failure: NotAllowed. Asking again changes nothing."""
    permissions.require(permissions.CHANGE, user=actor, issue=issue)
    moved = Issue.objects.filter(pk=issue.pk, state=Issue.State.DRAFT).exclude(asked_by=actor.pk)
    if moved.update(asked_by=actor.pk, updated_at=now):
        audit.record(action=AuditAction.ISSUE_APPROVAL_ASKED, actor=actor, target=issue, now=now)
    issue.refresh_from_db()
    if issue.state != Issue.State.DRAFT:
        raise NotAllowed(
            _("Only a draft can wait for approval; this issue is %(state)s.")
            % {"state": issue.get_state_display().lower()}
        )
    return issue


def issues_waiting_for(user: User) -> QuerySet[Issue]:
    """Drafts that somebody asked to have approved and that this person may approve, oldest first."""
    drafts = Issue.objects.filter(state=Issue.State.DRAFT, asked_by__isnull=False)
    waiting = permissions.issues_of(drafts, user=user).select_related("newsletter")
    if not user.has_perm(permissions.SEND):
        return waiting.none()
    changed = Issue.editors.through.objects.filter(issue=OuterRef("pk"), user=user)
    own = Q(newsletter__second_person_approves=True) & Q(Exists(changed))
    return waiting.exclude(asked_by=user).exclude(own).order_by("pk")


def edited(*, issue: Issue, actor: AbstractBaseUser | None) -> None:
    """Note who changed the content; who asked for approval before has to ask again. The caller holds the row."""
    Issue.objects.filter(pk=issue.pk).update(edited_by=actor, asked_by=None)
    if actor is not None:
        issue.editors.add(actor.pk)
