"""The sweeper and the close: what has work is found in the rows alone, and every copy is accounted for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from digests import approval, uncertain
from digests.models import Delivery, Issue
from digests.sending import claims, closing, preparing, sweeper
from digests.sending.tests.conftest import expire_leases, frozen_issue, states
from subscribers.models import Newsletter
from tests.table import rows

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]


def test_an_approved_issue_is_found_at_its_hour(newsletter: Newsletter) -> None:
    issue = frozen_issue(newsletter)
    hour = timedelta(hours=1)
    assert sweeper.sweep(now=timezone.now() - hour) == []
    assert sweeper.sweep(now=timezone.now() + hour) == [issue.pk]


def test_an_issue_whose_plan_was_interrupted_is_found(newsletter: Newsletter) -> None:
    issue = frozen_issue(newsletter, state=Issue.State.PREPARING)
    assert sweeper.sweep(now=timezone.now() - timedelta(hours=1)) == [issue.pk]


def test_what_waited_too_long_expires_with_the_pump(sending: Start) -> None:
    issue = sending(1)
    hours_ago = timezone.now() - timedelta(hours=25)
    issue.deliveries.update(state="deferred", due_at=timezone.now() + timedelta(hours=1))
    Issue.objects.filter(pk=issue.pk).update(started_at=hours_ago)
    sweeper.sweep(now=timezone.now())
    assert states(issue) == {"expired": 1}


@rows("state", [Issue.State.DRAFT, Issue.State.PAUSED, Issue.State.SENT])
def test_what_must_not_move_is_left_alone(sending: Start, state: str) -> None:
    issue = sending(1)
    Issue.objects.filter(pk=issue.pk).update(state=state)
    assert sweeper.sweep(now=timezone.now()) == []


def test_an_issue_that_was_planned_wants_its_lanes(sending: Start) -> None:
    assert sweeper.wake(issue_id=sending(3).pk, now=timezone.now())


def test_an_issue_without_readers_is_sent_at_once(newsletter: Newsletter) -> None:
    issue = frozen_issue(newsletter)
    assert preparing.prepare(issue_id=issue.pk, now=timezone.now())
    assert not sweeper.wake(issue_id=issue.pk, now=timezone.now())
    issue.refresh_from_db()
    assert (issue.state, issue.audience_count) == (Issue.State.SENT, 0)


def test_an_issue_with_open_copies_does_not_close(sending: Start) -> None:
    issue = sending(2)
    issue.deliveries.filter(pk=issue.deliveries.earliest("pk").pk).update(state="accepted")
    assert closing.close(issue_id=issue.pk, now=timezone.now()) is None


def test_a_copy_that_vanished_is_noticed(sending: Start) -> None:
    issue = sending(3)
    issue.deliveries.update(state="accepted")
    Delivery.objects.filter(pk=issue.deliveries.earliest("pk").pk).delete()
    assert closing.close(issue_id=issue.pk, now=timezone.now()) is Issue.State.SENT_WITH_EXCEPTIONS
    issue.refresh_from_db()
    assert issue.reason_sentence.startswith("The audience was 3, but 2 copies are on record.")


def test_cancelling_sweeps_what_waits(sending: Start) -> None:
    issue = sending(4)
    first = issue.deliveries.earliest("pk")
    issue.deliveries.filter(pk=first.pk).update(state="accepted")
    approval.cancel(issue=issue, reason="Wrong.", actor=None, now=timezone.now())
    assert sweeper.sweep(now=timezone.now()) == [issue.pk]
    assert not sweeper.wake(issue_id=issue.pk, now=timezone.now())
    assert states(issue) == {"accepted": 1, "cancelled": 3}
    assert sweeper.sweep(now=timezone.now()) == []


def test_uncertain_copies_wait_for_a_person(sending: Start) -> None:
    issue = sending(3)
    issue.deliveries.update(state="accepted")
    lost = issue.deliveries.earliest("pk")
    issue.deliveries.filter(pk=lost.pk).update(state="uncertain")
    closing.close(issue_id=issue.pk, now=timezone.now())
    assert uncertain.accept(issue=issue, deliveries=[lost.pk], actor=None, now=timezone.now()) == 1
    issue.refresh_from_db()
    assert (issue.state, states(issue)) == (Issue.State.SENT, {"accepted": 3})


def test_sending_again_is_a_person_s_choice_and_reopens_the_issue(sending: Start) -> None:
    issue = sending(2)
    issue.deliveries.update(state="uncertain")
    closing.close(issue_id=issue.pk, now=timezone.now())
    assert uncertain.resend(issue=issue, deliveries=None, actor=None, now=timezone.now()) == 2
    issue.refresh_from_db()
    assert (issue.state, states(issue)) == (Issue.State.SENDING, {"pending": 2})


def test_a_cancelled_issue_sends_nothing_again(sending: Start) -> None:
    issue = sending(1)
    issue.deliveries.update(state="uncertain")
    approval.cancel(issue=issue, reason="Wrong.", actor=None, now=timezone.now())
    with pytest.raises(uncertain.NotAllowed):
        uncertain.resend(issue=issue, deliveries=None, actor=None, now=timezone.now())


def test_the_pump_frees_what_a_dead_lane_held(sending: Start) -> None:
    issue = sending(2)
    assert claims.claim(issue_id=issue.pk, after=0, limit=2) is not None
    expire_leases(issue, timezone.now() - timedelta(seconds=1))
    assert sweeper.sweep(now=timezone.now()) == [issue.pk]
    assert states(issue) == {"pending": 2}


@rows("state", sorted(set(Issue.State) - {Issue.State.SENDING, Issue.State.SENT_WITH_EXCEPTIONS}))
def test_only_what_is_being_sent_is_closed(sending: Start, state: str) -> None:
    """The person who paused or cancelled an issue decides what becomes of it, also when nothing of it is open."""
    issue = sending(1)
    issue.deliveries.update(state="accepted")
    Issue.objects.filter(pk=issue.pk).update(state=state)
    assert closing.close(issue_id=issue.pk, now=timezone.now()) is None
    issue.refresh_from_db()
    assert (issue.state, issue.finished_at) == (state, None)


def test_the_hour_of_the_end_stays_on_record(sending: Start) -> None:
    """Of the first one: what is settled later changes no figure of how long it took."""
    issue = sending(1)
    issue.deliveries.update(state="uncertain")
    now = timezone.now()
    assert closing.close(issue_id=issue.pk, now=now)
    issue.deliveries.update(state="accepted")
    assert closing.close(issue_id=issue.pk, now=now + timedelta(hours=1))
    issue.refresh_from_db()
    assert issue.finished_at == now


def test_of_an_issue_whose_time_is_over_all_is_given_up_that_is_in_nobodys_hands(sending: Start) -> None:
    issue = sending(3)
    now = timezone.now()
    held, put_off, _waiting = issue.deliveries.order_by("pk")
    issue.deliveries.filter(pk=held.pk).update(state="attempting", lease_until=now + timedelta(minutes=1))
    issue.deliveries.filter(pk=put_off.pk).update(
        state="deferred", due_at=now + timedelta(hours=1), reason="mailbox_full"
    )
    Issue.objects.filter(pk=issue.pk).update(started_at=now - timedelta(hours=25))
    assert closing.give_up(issue_id=issue.pk, now=now) == 2
    assert states(issue) == {"attempting": 1, "expired": 2}
    assert not issue.deliveries.filter(state="expired", settled_at=None).exists()
    # The reader's own reason stays; it counts against the mailbox.
    expired = issue.deliveries.filter(state="expired").order_by("pk")
    assert list(expired.values_list("reason", flat=True)) == ["mailbox_full", "time_over"]
    assert not issue.deliveries.exclude(due_at=None).exists()


@rows("state", [Issue.State.DRAFT, Issue.State.PAUSED, Issue.State.CANCELLED])
def test_what_is_not_being_sent_is_not_given_up(sending: Start, state: str) -> None:
    issue = sending(1)
    Issue.objects.filter(pk=issue.pk).update(state=state, started_at=timezone.now() - timedelta(hours=25))
    assert closing.give_up(issue_id=issue.pk, now=timezone.now()) == 0
    assert states(issue) == {"pending": 1}


@pytest.mark.parametrize("state", [Issue.State.SENDING, Issue.State.PAUSED])
def test_nothing_is_swept_of_an_issue_that_was_not_cancelled(sending: Start, state: str) -> None:
    issue = sending(2)
    Issue.objects.filter(pk=issue.pk).update(state=state)
    sweeper.wake(issue_id=issue.pk, now=timezone.now())
    assert closing.sweep_cancelled(issue_id=issue.pk) == 0
    issue.refresh_from_db()
    assert (states(issue), issue.finished_at) == ({"pending": 2}, None)
    issue.deliveries.update(state="accepted")
    closing.sweep_cancelled(issue_id=issue.pk)
    issue.refresh_from_db()
    assert issue.finished_at is None


def test_a_large_issue_is_swept_in_portions_to_its_end(sending: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = sending(5)
    monkeypatch.setattr(closing, "CANCELLED_AT_ONCE", 2)
    issue.deliveries.filter(pk=issue.deliveries.latest("pk").pk).update(state="deferred", due_at=timezone.now())
    approval.cancel(issue=issue, reason="Wrong.", actor=None, now=timezone.now())
    with CaptureQueriesContext(connection) as asked:
        assert closing.sweep_cancelled(issue_id=issue.pk) == 5
    portions = [query for query in asked if query["sql"].startswith('UPDATE "digests_delivery"')]
    assert len(portions) == 3
    assert set(issue.deliveries.values_list("state", "reason", "due_at")) == {("cancelled", "issue_cancelled", None)}
    assert not issue.deliveries.filter(settled_at=None).exists()


def test_a_cancelled_issue_has_its_end_once_its_last_copy_has(sending: Start) -> None:
    issue = sending(2)
    issue.deliveries.filter(pk=issue.deliveries.earliest("pk").pk).update(
        state="attempting", lease_until=timezone.now() + timedelta(minutes=1)
    )
    approval.cancel(issue=issue, reason="Wrong.", actor=None, now=timezone.now())
    closing.sweep_cancelled(issue_id=issue.pk)
    issue.refresh_from_db()
    assert (issue.finished_at, states(issue)) == (None, {"attempting": 1, "cancelled": 1})
    issue.deliveries.filter(state="attempting").update(state="accepted")
    closing.sweep_cancelled(issue_id=issue.pk)
    issue.refresh_from_db()
    ended = issue.finished_at
    assert ended is not None
    Issue.objects.filter(pk=issue.pk).update(finished_at=ended - timedelta(hours=1))
    closing.sweep_cancelled(issue_id=issue.pk)
    issue.refresh_from_db()
    assert issue.finished_at == ended - timedelta(hours=1)
