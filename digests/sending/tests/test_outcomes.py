"""Settling: an outcome is written once, under its fence, with what a person needs to know."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from digests.models import Issue
from digests.sending import claims, closing, outcomes
from digests.sending.tests.conftest import states
from postal.transports.base import Outcome, Phase, State

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]


def attempting(issue: Issue) -> claims.Batch:
    batch = claims.claim(issue_id=issue.pk, after=0, limit=50)
    assert batch is not None
    issue.deliveries.filter(pk__in=batch.ids).update(state="attempting", attempts=1)
    return batch


def settle(issue: Issue, state: State, *, about_us: bool = False, tripped: bool = False) -> None:
    batch = attempting(issue)
    results = [
        Outcome(one, state, Phase.RCPT, "why", "450 4.2.0" if state == "deferred" else "", "r1", about_us=about_us)
        for one in batch.ids
    ]
    assert outcomes.settle(batches=[batch], outcomes=results, tripped=tripped) == len(batch.ids)


SAID = {"said": "why"}


@pytest.mark.parametrize("state", ["accepted", "rejected", "uncertain"])
def test_a_final_outcome_has_its_reason_and_hour(sending: Start, state: State) -> None:
    issue = sending(1)
    settle(issue, state)
    copy = issue.deliveries.get()
    stored = {"accepted": ("", None), "rejected": ("refused", SAID), "uncertain": ("answer_lost", SAID)}
    assert (copy.state, copy.remote_id) == (state, "r1")
    assert (copy.reason, copy.reason_parameters) == stored[state]
    assert copy.settled_at is not None
    assert (copy.lease_until, copy.due_at) == (None, None)


def test_a_deferred_copy_has_an_hour_and_no_end(sending: Start) -> None:
    issue = sending(1)
    settle(issue, "deferred")
    copy = issue.deliveries.get()
    assert copy.due_at is not None
    assert 50 < (copy.due_at - timezone.now()).total_seconds() < 80
    assert copy.settled_at is None


def test_a_deferred_copy_of_an_old_issue_expires(sending: Start) -> None:
    issue = sending(1)
    Issue.objects.filter(pk=issue.pk).update(started_at=timezone.now() - timedelta(hours=30))
    settle(issue, "deferred")
    assert states(issue) == {"expired": 1}


@pytest.mark.parametrize("state", ["accepted", "rejected", "uncertain"])
def test_what_became_of_a_copy_of_an_old_issue_is_believed(sending: Start, state: State) -> None:
    issue = sending(1)
    Issue.objects.filter(pk=issue.pk).update(started_at=timezone.now() - timedelta(hours=30))
    settle(issue, state)
    assert states(issue) == {state: 1}


def test_how_old_an_issue_may_become_is_set(sending: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = sending(1)
    Issue.objects.filter(pk=issue.pk).update(started_at=timezone.now() - timedelta(hours=30))
    monkeypatch.setattr(settings, "SENDING", replace(settings.SENDING, max_age_hours=48))
    settle(issue, "deferred")
    assert states(issue) == {"deferred": 1}


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 1), (2, 5), (5, 240), (9, 240)])
def test_each_attempt_that_is_put_off_waits_for_longer_and_none_is_the_last(
    sending: Start, attempts: int, minutes: int
) -> None:
    """Only its age ends it."""
    issue = sending(1)
    batch = attempting(issue)
    issue.deliveries.update(attempts=attempts)
    again = Outcome(delivery_id=batch.ids[0], state="deferred", phase=Phase.RCPT, code="450 4.2.0")
    outcomes.settle(batches=[batch], outcomes=[again], tripped=False)
    copy = issue.deliveries.get()
    assert (copy.state, copy.attempts) == ("deferred", attempts)
    assert copy.due_at is not None
    assert 0.8 < (copy.due_at - timezone.now()) / timedelta(minutes=minutes) < 1.3


def test_copies_that_were_put_off_together_do_not_come_back_together(sending: Start) -> None:
    issue = sending(20)
    settle(issue, "deferred")
    assert len(set(issue.deliveries.values_list("due_at", flat=True))) > 10


def test_a_server_that_talks_a_lot_is_cut_short(sending: Start) -> None:
    issue = sending(1)
    batch = attempting(issue)
    long = Outcome(delivery_id=batch.ids[0], state="rejected", phase=Phase.FINAL, reason="x" * 999, remote_id="y" * 999)
    outcomes.settle(batches=[batch], outcomes=[long], tripped=False)
    copy = issue.deliveries.get()
    assert (copy.state, len(copy.remote_id)) == ("rejected", 200)
    assert len((copy.reason_parameters or {})["said"]) == 300


def test_nothing_to_settle_is_no_fault(db: None) -> None:
    assert outcomes.settle(batches=[], outcomes=[], tripped=False) == 0


def test_a_refusal_about_us_marks_nobody(sending: Start) -> None:
    issue = sending(1)
    settle(issue, "rejected", about_us=True)
    assert states(issue) == {"deferred": 1}


@pytest.mark.parametrize(("tripped", "state"), [(False, "rejected"), (True, "deferred")])
def test_a_second_refusal_about_us_is_final_unless_all_are_refused(sending: Start, tripped: bool, state: str) -> None:
    issue = sending(1)
    settle(issue, "rejected", about_us=True)
    issue.deliveries.update(due_at=timezone.now() - timedelta(hours=1))
    batch = claims.claim(issue_id=issue.pk, after=0, limit=1)
    assert batch is not None
    issue.deliveries.update(state="attempting", attempts=2)
    again = Outcome(delivery_id=batch.ids[0], state="rejected", phase=Phase.RCPT, about_us=True)
    outcomes.settle(batches=[batch], outcomes=[again], tripped=tripped)
    assert states(issue) == {state: 1}


def test_a_late_answer_of_the_server_settles_what_the_clock_called_uncertain(sending: Start) -> None:
    issue = sending(1)
    batch = attempting(issue)
    issue.deliveries.update(state="uncertain", lease_until=None)
    late = Outcome(delivery_id=batch.ids[0], state="accepted", phase=Phase.FINAL)
    assert outcomes.settle(batches=[batch], outcomes=[late], tripped=False) == 1
    assert states(issue) == {"accepted": 1}


def test_settling_twice_changes_nothing(sending: Start) -> None:
    issue = sending(1)
    batch = attempting(issue)
    first = Outcome(delivery_id=batch.ids[0], state="accepted", phase=Phase.FINAL)
    second = Outcome(delivery_id=batch.ids[0], state="rejected", phase=Phase.FINAL)
    assert outcomes.settle(batches=[batch], outcomes=[first], tripped=False) == 1
    assert outcomes.settle(batches=[batch], outcomes=[second], tripped=False) == 0
    assert states(issue) == {"accepted": 1}


def test_a_database_that_is_away_is_waited_for(sending: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = sending(1)
    batch = attempting(issue)
    honest = connection.ensure_connection
    failures = [OperationalError("the server went away"), InterfaceError("the connection is closed")]

    def ensure_connection() -> None:
        if failures:
            raise failures.pop()
        honest()

    monkeypatch.setattr(connection, "ensure_connection", ensure_connection)
    monkeypatch.setattr(connection, "close", lambda: None)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    done = Outcome(delivery_id=batch.ids[0], state="accepted", phase=Phase.FINAL)
    assert outcomes.settle(batches=[batch], outcomes=[done], tripped=False, patience=60) == 1
    assert not failures


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_cut_is_replaced(sending: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = sending(1)
    batch = attempting(issue)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    done = Outcome(delivery_id=batch.ids[0], state="accepted", phase=Phase.FINAL)
    connection.connection.close()
    assert outcomes.settle(batches=[batch], outcomes=[done], tripped=False, patience=0.2) == 1


@pytest.mark.parametrize("fault", [OperationalError, InterfaceError])
def test_whatever_the_driver_calls_an_outage_the_results_are_kept(
    sending: Start, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    batch = attempting(sending(1))

    def away(_parameters: object) -> int:
        raise fault

    monkeypatch.setattr(outcomes, "_write", away)
    monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("it had no patience"))
    done = Outcome(delivery_id=batch.ids[0], state="accepted", phase=Phase.FINAL)
    with pytest.raises(fault):
        outcomes.settle(batches=[batch], outcomes=[done], tripped=False, patience=-1)


def test_a_late_deferral_leaves_the_copy_on_the_list(sending: Start) -> None:
    """The issue may be closed by now: a copy that waited in it would never be tried, and nobody would know."""
    issue = sending(1)
    batch = attempting(issue)
    issue.deliveries.update(state="uncertain", lease_until=None)
    late = Outcome(delivery_id=batch.ids[0], state="deferred", phase=Phase.RCPT)
    assert outcomes.settle(batches=[batch], outcomes=[late], tripped=False) == 0
    assert states(issue) == {"uncertain": 1}


def test_the_last_late_answer_lifts_the_exceptions_of_a_closed_issue(sending: Start) -> None:
    issue = sending(1)
    batch = attempting(issue)
    issue.deliveries.update(state="uncertain", lease_until=None)
    assert closing.close(issue_id=issue.pk, now=timezone.now()) == Issue.State.SENT_WITH_EXCEPTIONS
    assert closing.close(issue_id=issue.pk, now=timezone.now()) is None

    late = Outcome(delivery_id=batch.ids[0], state="accepted", phase=Phase.FINAL)
    outcomes.settle(batches=[batch], outcomes=[late], tripped=False)

    assert closing.close(issue_id=issue.pk, now=timezone.now()) == Issue.State.SENT
    issue.refresh_from_db()
    assert (issue.state, issue.state_reason) == (Issue.State.SENT, "")


def test_a_lane_and_its_slowest_answers_fit_into_its_task() -> None:
    slowest = settings.SENDING.lane_seconds + settings.SENDING.timeouts.total_seconds
    assert slowest <= settings.CELERY_TASK_SOFT_TIME_LIMIT
    assert settings.CELERY_VISIBILITY_TIMEOUT >= 2 * settings.CELERY_TASK_TIME_LIMIT
