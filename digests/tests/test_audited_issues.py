"""Each act on an issue is in the audit log, with the person and the issue; a refused one is not."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from core.reasons import Reason
from digests import approval, proofs, uncertain
from digests.models import Delivery, Issue
from digests.tests import copies
from staff import audit
from staff.audit_actions import AuditAction
from staff.models import AuditEvent
from subscribers.models import Newsletter
from tests.table import rows

pytestmark = pytest.mark.django_db

State = Issue.State
Act = Callable[[Issue, User | None, datetime], Any]
# Act -> how it is done, in which state of the issue, its action, and what else the log tells.
ACTS: dict[str, tuple[Act, State, AuditAction, dict[str, Any]]] = {
    "pause": (
        lambda issue, actor, now: approval.pause(issue=issue, reason="A typo.", actor=actor, now=now),
        State.SENDING, AuditAction.ISSUE_PAUSED, {"reason": "A typo."},
    ),
    "resume": (
        lambda issue, actor, now: approval.resume(issue=issue, actor=actor, now=now),
        State.PAUSED, AuditAction.ISSUE_RESUMED, {},
    ),
    "cancel": (
        lambda issue, actor, now: approval.cancel(issue=issue, reason="Not true.", actor=actor, now=now),
        State.SENDING, AuditAction.ISSUE_CANCELLED, {"reason": "Not true."},
    ),
    "accept": (
        lambda issue, actor, now: uncertain.accept(issue=issue, deliveries=None, actor=actor, now=now),
        State.SENDING, AuditAction.UNCERTAIN_ACCEPTED, {"count": 1},
    ),
    "resend": (
        lambda issue, actor, now: uncertain.resend(issue=issue, deliveries=None, actor=actor, now=now),
        State.SENDING, AuditAction.UNCERTAIN_RESENT, {"count": 1},
    ),
}  # fmt: skip


def assert_recorded(issue: Issue, actor: User | None, action: AuditAction, detail: dict[str, Any]) -> None:
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.actor_id) == (action, actor.pk if actor else None)
    assert (event.object_type, event.object_id) == ("digests.issue", str(issue.pk))
    assert event.detail == detail
    assert list(audit.links())


@rows("name", ACTS)
def test_an_act_is_recorded_with_person_and_issue(newsletter: Newsletter, admin_user: User, name: str) -> None:
    act, state, action, detail = ACTS[name]
    issue = copies.issue(newsletter, state=state)
    copies.copy(issue, None, Delivery.State.UNCERTAIN)
    act(issue, admin_user, timezone.now())
    assert_recorded(issue, admin_user, action, detail)


@rows("name", ["pause", "resume", "cancel", "resend"])
def test_a_refused_act_leaves_nothing(newsletter: Newsletter, admin_user: User, name: str) -> None:
    issue = copies.issue(newsletter, state=State.CANCELLED)
    with pytest.raises((approval.NotAllowed, uncertain.NotAllowed)):
        ACTS[name][0](issue, admin_user, timezone.now())
    assert not AuditEvent.objects.filter(object_type="digests.issue").exists()


def test_proof_approval_and_its_undoing_are_recorded(digest: Issue, admin_user: User) -> None:
    now, hour = timezone.now(), timezone.now() + timedelta(hours=1)
    proofs.send_proof(issue=digest, to="editor@blocknews.example", actor=admin_user, now=now)
    assert_recorded(digest, admin_user, AuditAction.PROOF_SENT, {"to": "e…@b…s.example"})
    approval.approve(issue=digest, actor=admin_user, now=now, when=hour)
    seen = {"scheduled_for": hour.isoformat(), "snapshot": digest.snapshot.sha256, "accepted": []}
    assert_recorded(digest, admin_user, AuditAction.ISSUE_APPROVED, seen)
    approval.reopen(issue=digest, reason=Reason("reopened", {"name": "ada"}), actor=admin_user, now=now)
    assert_recorded(digest, admin_user, AuditAction.ISSUE_REOPENED, {"reason": digest.reason_sentence})
    approval.approve(issue=digest, actor=None, now=now)
    assert AuditEvent.objects.latest("pk").actor_id is None
