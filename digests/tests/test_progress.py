"""How far an issue is, in one query."""

from datetime import date, time, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from digests import stats
from digests.models import Delivery, DeliveryEvent, Issue
from digests.tests import copies
from subscribers.models import Newsletter

State = Delivery.State


@pytest.fixture
def issue(newsletter: Newsletter) -> Issue:
    return copies.issue(newsletter, audience=4)


def fill(issue: Issue, *states: State) -> None:
    for state in states:
        copies.copy(issue, None, state)


def test_every_state_is_counted(issue: Issue) -> None:
    fill(issue, State.ACCEPTED, State.ACCEPTED, State.UNCERTAIN, State.PENDING)

    found = stats.progress(issue)

    assert set(found.by_state) == set(State.values)
    assert {state: count for state, count in found.by_state.items() if count} == {
        "accepted": 2,
        "uncertain": 1,
        "pending": 1,
    }
    assert (found.total, found.open, found.done, found.uncertain) == (4, 1, 3, 1)


@pytest.mark.parametrize(("copies_made", "conserved"), [(3, False), (4, True), (5, False)])
def test_a_copy_too_few_or_too_many_is_noticed(issue: Issue, copies_made: int, conserved: bool) -> None:
    fill(issue, *[State.ACCEPTED] * copies_made)

    assert stats.progress(issue).conserved is conserved


def test_another_issues_copies_are_not_counted(issue: Issue, newsletter: Newsletter) -> None:
    fill(copies.issue(newsletter), State.ACCEPTED)

    assert stats.progress(issue).total == 0


def test_the_rate_is_that_of_the_last_minute(issue: Issue) -> None:
    now = timezone.now()
    for age in (10, 20, 50, 70, 3600):
        copies.copy(issue, None, State.ACCEPTED, settled_at=now - timedelta(seconds=age))
    for _ in range(6):
        copies.copy(issue, None, State.PENDING)

    found = stats.progress(issue)

    assert found.rate == pytest.approx(3 / 60)
    assert found.seconds_left == 120


def test_an_issue_that_has_just_begun_is_rated_by_its_own_age(issue: Issue) -> None:
    now = timezone.now()
    issue.started_at = now - timedelta(seconds=10)
    for _ in range(20):
        copies.copy(issue, None, State.ACCEPTED, settled_at=now - timedelta(seconds=2))

    assert stats.progress(issue).rate == pytest.approx(2, rel=0.2)


def test_nothing_moving_has_no_end_in_sight(issue: Issue) -> None:
    fill(issue, State.PENDING)

    assert stats.progress(issue).seconds_left is None


def test_before_anybody_is_planned_nobody_is_missing(newsletter: Newsletter) -> None:
    draft = Issue.objects.create(newsletter=newsletter)

    found = stats.progress(draft)

    assert (found.total, found.audience, found.conserved, found.finished) == (0, 0, True, False)


@pytest.mark.parametrize(
    ("state", "finished"),
    [("sending", False), ("paused", False), ("sent", True), ("sent_with_exceptions", True), ("cancelled", True)],
)
def test_finished_is_the_issues_word(newsletter: Newsletter, state: Issue.State, finished: bool) -> None:
    assert stats.progress(copies.issue(newsletter, state=state)).finished is finished


def test_it_is_one_query_however_many_copies(issue: Issue, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    fill(issue, *State)

    with django_assert_num_queries(1):
        stats.progress(issue)


def test_events_are_counted_by_copy(issue: Issue, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    first, second = copies.copy(issue, None, State.ACCEPTED), copies.copy(issue, None, State.ACCEPTED)
    said = [("delivered", first), ("delivered", first), ("delivered", second), ("click", None), ("click", None)]
    for number, (kind, delivery) in enumerate(said):
        DeliveryEvent.objects.create(
            provider="x", event_id=str(number), kind=kind, delivery=delivery, issue=issue, occurred_at=timezone.now()
        )

    with django_assert_num_queries(1):
        counts = stats.event_counts(issue)

    assert (counts["delivered"], counts["click"], counts["complaint"]) == (2, 2, 0)


def test_what_holds_copies_back_is_said_in_sentences(settings: Any) -> None:
    assert stats.pace() == ["At most 50 copies are in flight in each of 2 lanes."]
    settings.PACING = settings.PACING | {
        "PER_SECOND": 100,
        "PER_HOUR": 20_000,
        "DOMAINS": {"gmail.com": [(20, 1)]},
        "WARMUP": {"news.example.org": (date(2026, 11, 22), 200, 1.5)},
        "HOURS": (time(7), time(21, 30)),
    }
    assert stats.pace()[1:] == [
        "At most 100 a second and 20000 an hour leave, over all workers.",
        "These mail domains of readers have limits of their own: gmail.com.",
        "Senders that are being warmed up: news.example.org.",
        "Copies leave from 07:00 to 21:30 only, in the newsletter's own time zone.",
    ]
