"""A large audience is planned in portions: the first copies leave before the last reader was looked at."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone

from digests import approval, stats
from digests.models import Delivery, Issue
from digests.sending import audience, closing, draining, lanes, preparing, sweeper, tasks
from digests.sending.tests.conftest import ToldTransport, frozen_issue, states, subscribe
from subscribers.models import Newsletter, Subscriber, Subscription
from tests import ownership
from tests.table import rows

pytestmark = pytest.mark.django_db

READERS = 11


@pytest.fixture(autouse=True)
def _small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SENDING", replace(settings.SENDING, first_portion=2))


@pytest.fixture
def begun(sending: Callable[[int], Issue]) -> Issue:
    """An issue whose first portion is planned, as by a worker that died right after it."""
    return sending(READERS)


def complete(issue: Issue) -> bool:
    more = preparing.complete(issue_id=issue.pk, now=timezone.now())
    issue.refresh_from_db()
    return more


def planned(issue: Issue) -> int:
    """How many copies there are; what the issue says of them is true."""
    issue.refresh_from_db()
    ids = list(issue.deliveries.values_list("pk", flat=True))
    assert issue.audience_count == len(ids)
    assert (issue.copies_after + 1, issue.copies_until) == (min(ids), max(ids))
    assert stats.progress(issue).conserved
    return len(ids)


def test_the_first_copies_leave_before_the_last_reader_was_looked_at(begun: Issue, transport: ToldTransport) -> None:
    assert planned(begun) == 2

    assert lanes.run(issue_id=begun.pk, lane=0) is lanes.Ending.IDLE

    begun.refresh_from_db()
    assert (states(begun), begun.state) == ({"accepted": 2}, Issue.State.SENDING)


def test_each_portion_is_as_large_as_all_before_it(begun: Issue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "asked", lambda: True)  # one portion, then the worker stops
    found = []
    while begun.readers_after is not None:
        assert complete(begun)
        found.append(planned(begun))
    assert found == [4, 8, READERS]


def test_no_portion_is_larger_than_a_transaction_should_be(begun: Issue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "asked", lambda: True)
    monkeypatch.setattr(audience, "LARGEST_PORTION", 3)
    found = []
    while begun.readers_after is not None:
        assert complete(begun)
        found.append(planned(begun))
    assert found == [4, 7, 10, READERS]


def test_a_portion_is_never_smaller_than_the_first(begun: Issue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else few copies so far would make an audience of small steps, and none at all an end of it."""
    monkeypatch.setattr(draining, "asked", lambda: True)
    monkeypatch.setattr(settings, "SENDING", replace(settings.SENDING, first_portion=5))
    complete(begun)
    assert planned(begun) == 2 + 5


def test_the_database_has_figures_of_the_first_copies_and_of_all(
    newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim without them walks over every copy of the portion. In between they cost more than they bring."""
    monkeypatch.setattr(draining, "asked", lambda: True)
    subscribe(newsletter, READERS)
    issue = frozen_issue(newsletter)

    def has_figures() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'digests_delivery'::regclass")
            return bool(cursor.fetchone()[0] == planned(issue))

    preparing.prepare(issue_id=issue.pk, now=timezone.now())
    found = [has_figures()]
    while issue.readers_after is not None or len(found) == 1:
        assert complete(issue)
        found.append(has_figures())
    assert found == [True, False, False, True]


def test_everybody_gets_one_whoever_plans(begun: Issue, transport: ToldTransport) -> None:
    tasks.plan_readers(begun.pk)
    lanes.run(issue_id=begun.pk, lane=0)
    begun.refresh_from_db()
    assert len({copy.recipient for copy in transport.taken}) == len(transport.taken) == READERS
    assert (begun.state, begun.audience_count, begun.readers_after) == (Issue.State.SENT, READERS, None)


def test_where_a_worker_died_the_clock_goes_on(begun: Issue, transport: ToldTransport) -> None:
    lanes.run(issue_id=begun.pk, lane=0)
    assert sweeper.sweep(now=timezone.now()) == [begun.pk]
    assert sweeper.wake(issue_id=begun.pk, now=timezone.now())
    complete(begun)
    assert planned(begun) == READERS


def test_lanes_come_first_and_are_called_again_after_each_portion(
    begun: Issue, monkeypatch: pytest.MonkeyPatch
) -> None:
    hints: list[str] = []
    for name in ("hint_lane", "hint_readers", "hint_wake"):
        monkeypatch.setattr(tasks, name, lambda *_numbers, name=name: hints.append(name))
    lanes_of_it = ["hint_lane"] * settings.SENDING.lanes
    tasks.wake_issue(begun.pk)
    tasks.plan_readers(begun.pk)
    # After 4 and after 8 of the 11 readers.
    assert hints == [*lanes_of_it, "hint_readers", *lanes_of_it * 2, "hint_wake"]

    hints.clear()
    tasks.wake_issue(begun.pk)
    tasks.plan_readers(begun.pk)
    assert hints == lanes_of_it


def test_a_task_that_took_its_time_leaves_the_rest_to_the_next(begun: Issue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SENDING", replace(settings.SENDING, lane_seconds=0))
    assert complete(begun)
    assert planned(begun) == 4


def test_an_issue_with_nothing_open_is_not_closed_before_everybody_was_looked_at(begun: Issue) -> None:
    begun.deliveries.update(state="accepted")
    assert closing.close(issue_id=begun.pk, now=timezone.now()) is None


def test_a_pause_does_not_stop_it(begun: Issue) -> None:
    approval.pause(issue=begun, reason="Wait.", now=timezone.now())
    complete(begun)
    assert (planned(begun), begun.state) == (READERS, Issue.State.PAUSED)


def test_of_a_cancelled_issue_nothing_more_is_planned(begun: Issue) -> None:
    approval.cancel(issue=begun, reason="Wrong.", now=timezone.now())
    assert not complete(begun)
    assert not sweeper.wake(issue_id=begun.pk, now=timezone.now())
    assert planned(begun) == 2
    assert states(begun) == {"cancelled": 2}
    assert begun.finished_at is not None
    assert not stats.progress(begun).is_planning


@pytest.mark.parametrize("meanwhile", [{"state": Issue.State.CANCELLED}, {"readers_after": 1_000_000}])
def test_a_portion_is_undone_when_the_issue_was_cancelled_or_planned_by_another_meanwhile(
    begun: Issue, monkeypatch: pytest.MonkeyPatch, meanwhile: dict[str, object]
) -> None:
    plan = audience.plan

    def plan_too_late(**how: object) -> None:
        plan(**how)  # type: ignore[arg-type]  # passed on as they came
        # As if it had been committed by another just before the portion is.
        Issue.objects.filter(pk=begun.pk).update(**meanwhile)

    monkeypatch.setattr(audience, "plan", plan_too_late)
    complete(begun)
    assert (begun.deliveries.count(), begun.audience_count) == (2, 2)


def test_who_was_there_and_confirms_meanwhile_is_added_once(newsletter: Newsletter) -> None:
    *_, last = subscribe(newsletter, READERS)
    Subscription.objects.filter(pk=last.pk).update(state=Subscription.State.PENDING)
    issue = frozen_issue(newsletter)
    preparing.prepare(issue_id=issue.pk, now=timezone.now())
    Subscription.objects.filter(pk=last.pk).update(state=Subscription.State.CONFIRMED)
    complete(issue)
    assert planned(issue) == READERS


def test_who_came_after_it_began_waits_for_the_next_issue(begun: Issue, newsletter: Newsletter) -> None:
    """Also who had a copy of it, was erased, and subscribed anew: the same mailbox must not get two."""
    first = begun.deliveries.earliest("pk").subscriber
    assert first is not None
    first.delete()
    again = subscribe(newsletter, 1)
    complete(begun)
    assert planned(begun) == READERS
    assert not begun.deliveries.filter(subscriber=again[0].subscriber).exists()


def test_a_reader_who_was_passed_by_and_confirms_later_waits_for_the_next_issue(newsletter: Newsletter) -> None:
    first, *_ = subscribe(newsletter, READERS)
    Subscription.objects.filter(pk=first.pk).update(state=Subscription.State.PENDING)
    issue = frozen_issue(newsletter)
    preparing.prepare(issue_id=issue.pk, now=timezone.now())
    Subscription.objects.filter(pk=first.pk).update(state=Subscription.State.CONFIRMED)
    complete(issue)
    assert planned(issue) == READERS - 1


def test_nobody_is_passed_over_in_whatever_order_the_rows_lie(newsletter: Newsletter) -> None:
    for reader in reversed(subscribe(newsletter, READERS)):
        # Writes a new version of each row behind all others.
        Subscription.objects.filter(pk=reader.pk).update(cadence=reader.cadence)
        Subscriber.objects.filter(pk=reader.subscriber_id).update(address=reader.subscriber.address)
    issue = frozen_issue(newsletter)
    with connection.cursor() as cursor:
        for sorted_way in ("indexscan", "indexonlyscan", "bitmapscan", "mergejoin", "nestloop"):
            cursor.execute(f"SET LOCAL enable_{sorted_way} = off")
    preparing.prepare(issue_id=issue.pk, now=timezone.now())
    complete(issue)
    assert planned(issue) == READERS


def test_the_first_issue_of_a_house_keeps_its_first_copies(newsletter: Newsletter) -> None:
    """Its copies begin after 0, which is also what an issue says that has none."""
    subscribe(newsletter, READERS)
    issue = frozen_issue(newsletter)
    with ownership.owner(), connection.cursor() as cursor:
        cursor.execute("ALTER SEQUENCE digests_delivery_id_seq RESTART")
    preparing.prepare(issue_id=issue.pk, now=timezone.now())
    complete(issue)
    assert planned(issue) == READERS
    assert issue.copies_after == 0


def test_an_audience_of_exactly_one_portion_is_complete(newsletter: Newsletter) -> None:
    subscribe(newsletter, 2)
    issue = frozen_issue(newsletter)
    preparing.prepare(issue_id=issue.pk, now=timezone.now())
    complete(issue)
    assert (planned(issue), issue.readers_after) == (2, None)


@pytest.mark.parametrize("number", [2, READERS - 1])
def test_copies_that_are_there_already_are_passed_over(begun: Issue, number: int) -> None:
    """As when two plan at once in spite of the lock, whose connection was cut. Nobody behind them is forgotten."""
    Delivery.objects.create(issue=begun, subscriber=Subscriber.objects.order_by("pk")[number])
    Issue.objects.filter(pk=begun.pk).update(audience_count=3)
    complete(begun)
    assert begun.deliveries.count() == READERS
    assert begun.audience_count == READERS


def test_whoever_watches_is_told_that_there_will_be_more(begun: Issue) -> None:
    found = stats.progress(begun)
    assert (found.is_planning, dataclasses.replace(found, rate=1.0).seconds_left) == (True, None)
    begun.deliveries.update(state="accepted")
    assert stats.progress(begun).seconds_left is None
    # A portion that came between reading the issue and counting its copies is no fault.
    Delivery.objects.create(issue=begun, subscriber=Subscriber.objects.latest("pk"))
    assert stats.progress(begun).conserved
    begun.deliveries.all()[:1].get().delete()
    begun.deliveries.all()[:1].get().delete()
    assert not stats.progress(begun).conserved


@pytest.mark.django_db(transaction=True)
def test_a_portion_is_planned_by_one_at_a_time(begun: Issue, monkeypatch: pytest.MonkeyPatch) -> None:
    at_work, go_on = threading.Event(), threading.Event()
    plan = audience.plan
    calls: list[int] = []

    def slow(**how: object) -> None:
        calls.append(1)
        at_work.set()
        assert go_on.wait(10)
        plan(**how)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(audience, "plan", slow)

    def first() -> None:
        preparing.complete(issue_id=begun.pk, now=timezone.now())
        connections.close_all()

    thread = threading.Thread(target=first)
    thread.start()
    assert at_work.wait(10)
    assert not complete(begun)
    assert calls == [1]
    go_on.set()
    thread.join(10)
    assert planned(begun) == READERS


@pytest.mark.django_db(transaction=True)
def test_two_issues_are_planned_side_by_side(
    begun: Issue, newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = frozen_issue(newsletter)
    preparing.prepare(issue_id=other.pk, now=timezone.now())
    plan = audience.plan
    done: list[bool] = []

    def beside() -> None:
        done.extend(preparing.complete(issue_id=other.pk, now=timezone.now()) for _ in range(2))
        connections.close_all()

    def plan_beside_another(**how: object) -> None:
        if how["issue"] == begun and not done:
            thread = threading.Thread(target=beside)
            thread.start()
            thread.join(10)
        plan(**how)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(audience, "plan", plan_beside_another)
    complete(begun)
    assert done == [True, False]
    assert planned(other) == planned(begun) == READERS


@pytest.mark.django_db(transaction=True)
def test_no_lane_waits_for_a_portion(begun: Issue, transport: ToldTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planning a portion takes seconds; only its end touches the row that every attempt holds."""
    plan = audience.plan

    def plan_beside_a_lane(**how: object) -> None:
        plan(**how)  # type: ignore[arg-type]  # passed on as they came
        thread = threading.Thread(target=lane)
        thread.start()
        thread.join(10)

    ended: list[lanes.Ending] = []

    def lane() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        ended.append(lanes.run(issue_id=begun.pk, lane=0))
        connections.close_all()

    monkeypatch.setattr(audience, "plan", plan_beside_a_lane)
    monkeypatch.setattr(draining, "asked", lambda: False)
    with transaction.atomic():
        preparing._plan_more(begun.pk, timezone.now())
    assert ended == [lanes.Ending.IDLE]
    assert len(transport.taken) == 2


@rows("state", [Issue.State.SENT, Issue.State.SENT_WITH_EXCEPTIONS, Issue.State.SCHEDULED])
def test_only_an_issue_under_way_may_be_half_planned(begun: Issue, state: str) -> None:
    with pytest.raises(IntegrityError, match="issue_ended_is_planned_whole"), transaction.atomic():
        Issue.objects.filter(pk=begun.pk).update(state=state)


def test_an_audience_takes_longer_than_a_minute_of_the_clock(begun: Issue) -> None:
    """The clock wakes it meanwhile, and nothing of that plans anybody twice."""
    for minute in range(3):
        sweeper.wake(issue_id=begun.pk, now=timezone.now() + timedelta(minutes=minute))
    assert planned(begun) == 2
    complete(begun)
    assert planned(begun) == READERS


@pytest.mark.django_db(transaction=True)
def test_whoever_cleans_up_the_table_holds_up_no_issue(newsletter: Newsletter) -> None:
    """VACUUM and CREATE INDEX CONCURRENTLY take the lock that ANALYZE takes, and keep it for long."""
    subscribe(newsletter, READERS)
    issue = frozen_issue(newsletter)
    locked, done = threading.Event(), threading.Event()

    def clean_up() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE digests_delivery IN SHARE UPDATE EXCLUSIVE MODE")
            locked.set()
            done.wait(10)
        connections.close_all()

    thread = threading.Thread(target=clean_up)
    thread.start()
    try:
        assert locked.wait(10)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
        assert preparing.prepare(issue_id=issue.pk, now=timezone.now())
    finally:
        done.set()
        thread.join(10)
        connection.close()
