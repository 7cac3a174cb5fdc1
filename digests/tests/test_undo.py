"""What a person approved can be taken back for a while, and nothing leaves before."""

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from pytest_django import Settings

from core import database_clock
from core.reasons import Reason
from digests import approval, undo
from digests.models import Delivery, Issue, Snapshot
from digests.sending import preparing, sweeper
from tests.cast import Readers

pytestmark = pytest.mark.django_db

State = Issue.State
SECOND = timedelta(seconds=1)


@pytest.fixture
def approved(digest: Issue, admin_user: User, settings: Settings, readers: Readers) -> Issue:
    """A digest for three readers that a person approved just now."""
    readers(3)
    settings.UNDO_SECONDS = 60
    return approval.approve(issue=digest, actor=admin_user, now=database_clock.now())


def hour_of(issue: Issue) -> datetime:
    assert issue.scheduled_for is not None
    return issue.scheduled_for


def test_nothing_leaves_until_the_wait_is_over_and_then_it_does(approved: Issue) -> None:
    hour = hour_of(approved)
    assert 58 <= undo.seconds_left(issue=approved, now=database_clock.now()) <= 60
    for moment in (database_clock.now(), hour - SECOND):
        assert sweeper.sweep(now=moment) == []
        assert not preparing.prepare(issue_id=approved.pk, now=moment)
        approved.refresh_from_db()
        assert approved.state == State.SCHEDULED
    assert sweeper.sweep(now=hour) == [approved.pk]
    assert preparing.prepare(issue_id=approved.pk, now=hour)
    assert Delivery.objects.count() == 3


def test_taken_back_at_the_last_second_nothing_leaves_ever(approved: Issue, admin_user: User) -> None:
    hour = hour_of(approved)
    approval.reopen(issue=approved, reason=Reason("reopened", {"name": "ada"}), actor=admin_user, now=hour - SECOND)
    assert (approved.state, approved.scheduled_for, approved.approved_by) == (State.DRAFT, None, None)
    assert not Snapshot.objects.exists()
    for moment in (hour, hour + timedelta(days=1)):
        assert sweeper.sweep(now=moment) == []
        assert not preparing.prepare(issue_id=approved.pk, now=moment)
    assert not Delivery.objects.exists()


def test_taken_back_too_late_it_goes_on(approved: Issue, admin_user: User) -> None:
    """The engine was quicker: one of the two wins, and the other one hears so."""
    assert preparing.prepare(issue_id=approved.pk, now=hour_of(approved))
    with pytest.raises(approval.NotAllowed, match="this one is sending"):
        approval.reopen(issue=approved, reason=Reason(), actor=admin_user, now=database_clock.now())
    assert Delivery.objects.count() == 3


@pytest.mark.parametrize(("by_hand", "ahead", "waits"), [(True, 0, True), (False, 0, False), (True, 7_200, False)])
def test_who_waits(digest: Issue, admin_user: User, settings: Settings, by_hand: bool, ahead: int, waits: bool) -> None:
    """A person does; a command, the clock and an hour further away than the wait do not."""
    settings.UNDO_SECONDS = 60
    now = database_clock.now()
    hour = now + timedelta(seconds=ahead)
    approval.approve(issue=digest, actor=admin_user if by_hand else None, now=now, when=hour)
    assert (hour_of(digest) > hour) is waits
    approval.reopen(issue=digest, reason=Reason(), actor=admin_user, now=now)
    assert digest.scheduled_for == (hour if ahead else None), "an hour far ahead is still the wish"


def test_a_host_whose_clock_is_behind_shortens_no_wait(digest: Issue, admin_user: User, settings: Settings) -> None:
    settings.UNDO_SECONDS = 60
    late = database_clock.now() - timedelta(hours=3)
    approval.approve(issue=digest, actor=admin_user, now=late)
    with connection.cursor() as cursor:
        cursor.execute("SELECT scheduled_for > clock_timestamp() + interval '55 s' FROM digests_issue")
        assert cursor.fetchone() == (True,)
