"""An issue moves to another hour until it begins to leave: a draft by its plan, an approved one by a new approval."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from pytest_django import Settings

from core import database_clock
from digests import approval, moving, second_person
from digests.models import Issue, Snapshot
from digests.sending import preparing, sweeper
from staff.models import AuditEvent
from tests.cast import account

pytestmark = pytest.mark.django_db
WEEK = timedelta(days=7)


def head_of(issue: Issue) -> str:
    return str(Snapshot.objects.get(issue=issue).text).split("\n\n", 1)[0]


def long_day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


def test_a_draft_is_only_planned_for_another_hour(digest: Issue, admin_user: User) -> None:
    now = database_clock.now()
    Issue.objects.filter(pk=digest.pk).update(asked_by=admin_user)
    moving.move(issue=digest, when=now + WEEK, actor=admin_user, now=now)
    assert (digest.state, digest.scheduled_for) == (Issue.State.DRAFT, now + WEEK)
    assert (digest.edited_by, digest.asked_by) == (admin_user, None), "who moved it arranged it last"
    assert AuditEvent.objects.get(action="issue_moved").detail["scheduled_for"] == (now + WEEK).isoformat()


def test_an_approved_issue_is_dated_anew_and_leaves_then(digest: Issue, admin_user: User, settings: Settings) -> None:
    settings.UNDO_SECONDS = 60
    now = database_clock.now()
    first, later = now + WEEK, now + 2 * WEEK
    approval.approve(issue=digest, actor=admin_user, now=now, when=first)
    number = digest.number
    assert long_day(first) in head_of(digest), "the hour that the approval chose is the one in the head"
    paula = account("paula", "Publisher")
    moving.move(issue=digest, when=later, actor=paula, now=now)
    assert (digest.state, digest.scheduled_for, digest.approved_by) == (Issue.State.SCHEDULED, later, paula)
    assert digest.number == number
    assert long_day(later) in head_of(digest)
    assert sweeper.sweep(now=first) == []
    assert sweeper.sweep(now=later) == [digest.pk]
    moving.move(issue=digest, when=now + timedelta(seconds=1), actor=paula, now=now)
    assert digest.scheduled_for is not None
    assert digest.scheduled_for >= now + timedelta(seconds=60), "it can be taken back for as long as any other"


def test_what_cannot_be_moved(digest: Issue, admin_user: User) -> None:
    now = database_clock.now()
    with pytest.raises(moving.NotAllowed, match="This hour is over"):
        moving.move(issue=digest, when=now - WEEK, actor=admin_user, now=now)
    with pytest.raises(PermissionDenied):
        moving.move(issue=digest, when=now + WEEK, actor=account("ada", "Author"), now=now)
    approval.approve(issue=digest, actor=None, now=now)
    before = head_of(digest)
    edda = account("edda", "Editor")
    with pytest.raises(PermissionDenied):
        moving.move(issue=digest, when=now + WEEK, actor=edda, now=now)
    digest.newsletter.second_person_approves = True
    digest.newsletter.save()
    digest.editors.add(admin_user)
    with pytest.raises(second_person.NotAllowed):
        moving.move(issue=digest, when=now + WEEK, actor=admin_user, now=now)
    assert preparing.prepare(issue_id=digest.pk, now=database_clock.now())
    with pytest.raises(approval.NotAllowed, match="this one is sen"):
        moving.move(issue=digest, when=now + WEEK, actor=account("paul", "Publisher"), now=now)
    assert head_of(digest) == before
