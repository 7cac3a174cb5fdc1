"""How far an issue is: one count by state, and one by reason of what is put off."""

import dataclasses
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, time, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.db.models import DateTimeField, Value
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from digests import approval, stats
from digests.models import Delivery, Issue
from digests.tests import copies
from postal import config
from subscribers.models import Newsletter
from tests.table import rows

State = Delivery.State


@pytest.fixture(autouse=True)
def _one_instant(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Freeze the clocks of test and database: a busy machine may take seconds between two lines."""
    moment = timezone.now()
    monkeypatch.setattr(stats, "Now", lambda: Value(moment, output_field=DateTimeField()))
    with time_machine.travel(moment, tick=False):
        yield


@pytest.fixture
def issue(newsletter: Newsletter) -> Issue:
    return copies.issue(newsletter, audience=4)


def fill(issue: Issue, *states: State) -> None:
    for state in states:
        copies.copy(issue, None, state)


def test_every_state_is_counted(issue: Issue) -> None:
    fill(issue, State.ACCEPTED, State.ACCEPTED, State.UNCERTAIN, State.PENDING)

    progress = stats.progress(issue)

    assert set(progress.by_state) == set(State.values)
    assert {state: count for state, count in progress.by_state.items() if count} == {
        "accepted": 2,
        "uncertain": 1,
        "pending": 1,
    }
    assert (progress.total, progress.open, progress.done, progress.uncertain) == (4, 1, 3, 1)


@rows(("copies_made", "conserved"), [(3, False), (4, True), (5, False)])
def test_a_copy_too_few_or_too_many_is_noticed(issue: Issue, copies_made: int, conserved: bool) -> None:
    fill(issue, *[State.ACCEPTED] * copies_made)

    assert stats.progress(issue).conserved is conserved


def test_another_issues_copies_are_not_counted(issue: Issue, newsletter: Newsletter) -> None:
    fill(copies.issue(newsletter), State.ACCEPTED)

    assert stats.progress(issue).total == 0


def begun(issue: Issue, *, seconds: float) -> None:
    """As if it had begun, or had gone on after a pause, so long ago."""
    Issue.objects.filter(pk=issue.pk).update(updated_at=timezone.now() - timedelta(seconds=seconds))
    issue.refresh_from_db()


def settled(issue: Issue, ages: list[float]) -> None:
    now = timezone.now()
    Delivery.objects.bulk_create(
        Delivery(issue=issue, state=State.ACCEPTED, settled_at=now - timedelta(seconds=age)) for age in ages
    )


def test_the_rate_is_that_of_the_last_seconds_when_they_say_enough(issue: Issue) -> None:
    begun(issue, seconds=3_600)
    settled(issue, [number / 5 for number in range(40)] + [30] * 1_000)
    fill(issue, *[State.PENDING] * 8)

    progress = stats.progress(issue)

    assert progress.rate == pytest.approx(4, rel=0.1)
    assert progress.seconds_left == 2


@pytest.mark.parametrize(("ages", "rate"), [([5, 20, 30] * 8, 24 / 60), ([5, 20, 50, 70, 300, 3_600], 5 / 600)])
def test_a_slow_issue_is_rated_over_a_longer_time(issue: Issue, ages: list[float], rate: float) -> None:
    begun(issue, seconds=7_200)
    settled(issue, ages)

    assert stats.progress(issue).rate == pytest.approx(rate)


def test_an_issue_that_has_just_begun_is_rated_by_its_own_age(issue: Issue) -> None:
    begun(issue, seconds=5)
    settled(issue, [2.0] * 10)

    assert stats.progress(issue).rate == pytest.approx(2, rel=0.2)


def test_a_pause_is_no_part_of_the_rate(issue: Issue, newsletter: Newsletter) -> None:
    begun(issue, seconds=3_600)
    settled(issue, [40.0] * 6_000)
    approval.pause(issue=issue, reason="A look", actor=None, now=timezone.now() - timedelta(seconds=38))
    assert (stats.progress(issue).rate, stats.progress(issue).seconds_left) == (0, 0)

    fill(issue, *[State.PENDING] * 100)
    assert stats.progress(issue).seconds_left is None
    # Settled within the span, but before it went on: such as what a cancellation had kept back.
    settled(issue, [6.0] * 200)
    approval.resume(issue=issue, actor=None, now=timezone.now() - timedelta(seconds=4))
    settled(issue, [1.0] * 40)

    assert stats.progress(issue).rate == pytest.approx(10, rel=0.2)


def test_a_stalled_issue_has_no_rate(issue: Issue) -> None:
    begun(issue, seconds=3_600)
    settled(issue, [15.0] * 500)
    fill(issue, State.PENDING)

    progress = stats.progress(issue)

    assert (progress.rate, progress.seconds_left) == (0, None)


def test_time_left_reaches_to_the_last_copy_that_was_put_off(issue: Issue) -> None:
    begun(issue, seconds=3_600)
    settled(issue, [1.0] * 100)
    copies.copy(issue, None, State.DEFERRED, due_at=timezone.now() + timedelta(hours=1))

    assert stats.progress(issue).seconds_left == pytest.approx(3_600, abs=5)
    assert stats.progress(issue).time_left == "60 min"


def test_what_is_put_off_is_counted_by_reason(issue: Issue) -> None:
    soon = timezone.now() + timedelta(minutes=1)
    for queue in ("AB12CD34", "BC12CD34", "CD12CD34"):
        parameters = {"said": f"4.3.0 Try later, {queue}"}
        copies.copy(issue, None, State.DEFERRED, reason="passing", reason_parameters=parameters, due_at=soon)
    full = {"reason": "mailbox_full", "due_at": soon + timedelta(hours=1)}
    copies.copy(issue, None, State.DEFERRED, **full)
    copies.copy(issue, None, State.REJECTED, reason="mailbox_gone")

    retries = stats.progress(issue).retries

    assert [(retry.code, retry.copies) for retry in retries] == [("passing", 3), ("mailbox_full", 1)]
    assert [retry.reason for retry in retries] == [
        "It cannot be delivered at the moment: 4.3.0 Try later, AB12CD34",
        "The mailbox is full.",
    ]
    assert retries[0].next_at == soon


def test_an_expensive_count_is_cached(
    issue: Issue, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(stats, "EXPENSIVE_SECONDS", -1.0)
    with django_assert_num_queries(1):
        first, second = stats.watched(issue), stats.watched(issue)
    assert first is second
    # Another state is another matter.
    issue.state = Issue.State.PAUSED
    with django_assert_num_queries(1):
        assert stats.watched(issue).state == Issue.State.PAUSED


def test_a_cached_count_expires(issue: Issue, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(stats, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(stats, "EXPENSIVE_SECONDS", -1.0)
    first = stats.watched(issue)
    clock[0] += 0.9
    assert stats.watched(issue) is first
    clock[0] += 0.2
    assert stats.watched(issue) is not first


def test_a_cheap_count_is_not_cached(issue: Issue) -> None:
    assert stats.watched(issue).total == 0
    fill(issue, State.ACCEPTED)
    assert stats.watched(issue).total == 1


def test_watching_takes_a_twentieth_of_the_time(issue: Issue) -> None:
    assert stats.progress(issue).refresh_after == 1.0
    assert dataclasses.replace(stats.progress(issue), cost=0.5).refresh_after == 10.0


def test_without_progress_there_is_no_estimate(issue: Issue) -> None:
    fill(issue, State.PENDING)

    assert stats.progress(issue).seconds_left is None


def test_a_paused_issue_has_no_pace_and_no_end(issue: Issue) -> None:
    """However much left a moment ago, and however soon what was put off would be due."""
    begun(issue, seconds=3_600)
    settled(issue, [1.0] * 100)
    copies.copy(issue, None, State.DEFERRED, due_at=timezone.now() + timedelta(hours=1))
    assert stats.progress(issue).rate > 0
    Issue.objects.update(state=Issue.State.PAUSED)
    issue.refresh_from_db()

    progress = stats.progress(issue)

    assert (progress.rate, progress.seconds_left, progress.time_left) == (0, None, "")


def test_a_claimed_copy_counts_as_movement(issue: Issue, settings: Any) -> None:
    now = timezone.now()
    assert stats.progress(issue).moved_at is None
    settled(issue, [90.0])
    assert stats.progress(issue).moved_at == now - timedelta(seconds=90)
    lease = timedelta(seconds=settings.SENDING.lease_seconds)
    copies.copy(issue, None, State.ATTEMPTING, lease_until=now + lease - timedelta(seconds=5))

    assert stats.progress(issue).moved_at == now - timedelta(seconds=5)


def test_a_cancelled_issue_is_at_its_end_though_copies_were_left(issue: Issue) -> None:
    fill(issue, State.PENDING)
    issue.state = Issue.State.CANCELLED

    assert stats.progress(issue).seconds_left == 0


def test_before_anybody_is_planned_nobody_is_missing(newsletter: Newsletter) -> None:
    draft = Issue.objects.create(newsletter=newsletter)

    progress = stats.progress(draft)

    assert (progress.total, progress.audience, progress.conserved, progress.finished) == (0, 0, True, False)


@rows(
    ("state", "finished"),
    [("sending", False), ("paused", False), ("sent", True), ("sent_with_exceptions", True), ("cancelled", True)],
)
def test_finished_is_the_issues_word(newsletter: Newsletter, state: Issue.State, finished: bool) -> None:
    assert stats.progress(copies.issue(newsletter, state=state)).finished is finished


def test_it_is_two_queries_however_many_copies(issue: Issue, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    fill(issue, *State)

    with django_assert_num_queries(2):
        stats.progress(issue)


def test_limits_are_described_in_sentences(settings: Any) -> None:
    assert stats.limits() == ["At most 50 copies are in flight in each of 2 lanes."]
    settings.PACING = replace(
        settings.PACING,
        per_second=100,
        per_hour=20_000,
        domains={"gmail.com": [config.Rate(20, 1)]},
        warm_up={"news.example.org": config.WarmUp(date(2026, 11, 22), 200, 1.5)},
        hours=(time(7), time(21, 30)),
    )
    assert stats.limits()[1:] == [
        "At most 100 copies leave per second, over all workers.",
        "At most 20,000 copies leave per hour, over all workers.",
        "These mail domains of readers have limits of their own: gmail.com.",
        "Senders that are being warmed up: news.example.org.",
        "Copies leave from 07:00 to 21:30 only, in the newsletter's own time zone.",
    ]
