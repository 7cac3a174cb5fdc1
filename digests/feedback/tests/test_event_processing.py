"""Stored events are processed soon, by one process at a time, and none is lost when a process dies."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from celery import current_app
from django.db import OperationalError, connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core import locks
from digests import tasks
from digests.feedback import events, handlers, processing
from digests.models import Delivery, DeliveryEvent, Issue
from digests.tests import copies
from subscribers.models import ConsentEvent, Letter, Newsletter, Suppression

State = Delivery.State
GONE = {"reject_reason": "bounced", "mta_response": "550 5.1.1 no such user"}
LATER = timedelta(minutes=1)

Tell = Callable[..., DeliveryEvent]


@pytest.fixture
def tell(newsletter: Newsletter, now: datetime) -> Tell:
    """Store an event about a new copy, without processing it."""
    issue, numbers = copies.issue(newsletter), iter(range(10_000))

    def store(word: str, state: State = State.ACCEPTED, **fields: Any) -> DeliveryEvent:
        copy = copies.copy(issue, copies.reader(newsletter, f"reader{next(numbers)}@readers.example"), state)
        events.store(events=[copies.event(word, copy, **fields)], provider="Mailgun", now=now)
        return DeliveryEvent.objects.latest("pk")

    return store


@pytest.fixture
def elsewhere(transactional_db: None) -> Iterator[Any]:
    """A connection of another process."""
    other = connections.create_connection("default")
    yield other
    other.close()


def unsettled() -> int:
    return DeliveryEvent.objects.filter(settled_at=None).count()


def test_storing_does_nothing_else(tell: Tell, now: datetime) -> None:
    row = tell("bounced", State.UNCERTAIN, **GONE)

    assert (row.settled_at, row.due_at, row.issue) == (None, now, None)
    assert Delivery.objects.get().state == State.UNCERTAIN
    assert not Suppression.objects.exists()


def test_of_a_report_only_what_is_needed_is_kept(tell: Tell, now: datetime) -> None:
    """Until the event is settled, a keyed hash of the mailbox; afterwards not even that."""
    raw = {"ip": "192.0.2.77", "client-info": {"user-agent": "Firefox"}, "recipient": "reader0@readers.example"}
    tell("complained", user_agent="Firefox", esp_event=raw, click_url="https://x.example/?reader0@readers.example")

    stored = repr(DeliveryEvent.objects.values().get())
    assert not [secret for secret in ("readers.example", "192.0.2.77", "Firefox", "https:") if secret in stored]
    assert DeliveryEvent.objects.get().address_hash

    processing.settle(now=now)
    assert DeliveryEvent.objects.get().address_hash == ""


def test_many_events_that_change_nothing_else_cost_no_more_queries_than_two(tell: Tell, now: datetime) -> None:
    def queries(number: int) -> int:
        for place in range(number):
            tell("delivered" if place % 2 else "deferred")
        with CaptureQueriesContext(connection) as counted:
            assert processing.settle(now=now) == number
        return len(counted)

    assert queries(2) == queries(30)


def test_settling_copies_of_a_closed_issue_looks_at_no_other_copy(tell: Tell, now: datetime) -> None:
    """There may be a million."""
    for word in ("delivered", "delivered", "failed", "delivered"):
        tell(word, State.UNCERTAIN)
    copies.close(Issue.objects.get())

    with CaptureQueriesContext(connection) as counted:
        assert processing.settle(now=now) == 4

    over_copies = [query for query in counted if 'FROM "digests_delivery"' in query["sql"]]
    assert [query for query in over_copies if '"uuid" IN' not in query["sql"]] == []
    assert Issue.objects.get().state == Issue.State.SENT
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["accepted"] * 3 + ["rejected"]


def test_more_than_a_batch_is_settled_in_one_go(tell: Tell, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "BATCH", 3)
    for place in range(8):
        tell("complained" if place % 2 else "delivered")

    assert processing.settle(now=now) == 8
    assert unsettled() == 0


def test_one_that_breaks_among_many_holds_up_none_of_them(
    tell: Tell, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, *_others = [tell(word) for word in ("delivered", "deferred", "complained", "delivered")]
    follow = handlers.follow

    def stumble(row: DeliveryEvent, copy: Delivery, moment: datetime) -> handlers.Effect:
        if row.pk == broken.pk:
            raise ZeroDivisionError
        return follow(row, copy, moment)

    monkeypatch.setattr(handlers, "follow", stumble)
    assert processing.settle(now=now) == 3
    broken.refresh_from_db()
    assert (broken.settled_at, broken.due_at) == (None, now + LATER)

    monkeypatch.undo()
    assert processing.settle(now=now + LATER) == 1


@pytest.mark.parametrize("word", ["delivered", "complained"])
def test_a_connection_that_breaks_in_the_middle_leaves_all_of_it_due(
    elsewhere: Any, tell: Tell, now: datetime, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """The effects are done, the event's own row is not yet written: neither is there afterwards."""
    tell(word)
    write = processing._write

    def cut(*arguments: Any) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            mine = cursor.fetchone()
        with elsewhere.cursor() as cursor:
            cursor.execute("SET ROLE NONE")
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", mine)
        return write(*arguments)

    if word == "complained":
        # The first write is for events that change no reader's rows; there are none.
        monkeypatch.setattr(processing, "_write", lambda *settled: cut(*settled) if settled[0] else 0)
    else:
        monkeypatch.setattr(processing, "_write", cut)
    # A broken batch ends the pass. After a single event that broke, the pass goes on.
    with pytest.raises(OperationalError) if word == "delivered" else contextlib.nullcontext():
        assert processing.settle(now=now) == 0
    connection.close()
    monkeypatch.undo()

    withdrawn = ConsentEvent.objects.filter(kind="withdrawn").count()
    assert (unsettled(), Suppression.objects.count(), withdrawn) == (1, 0, 0)
    assert processing.settle(now=now + LATER) == 1
    assert Suppression.objects.count() == (word == "complained")


def test_one_process_works_on_events_at_a_time(elsewhere: Any, tell: Tell, now: datetime) -> None:
    tell("delivered")
    with elsewhere.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [locks.key(processing.SETTLE_LOCK)])
    assert processing.settle(now=now) is None
    assert unsettled() == 1

    with elsewhere.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [locks.key(processing.SETTLE_LOCK)])
    assert processing.settle(now=now) == 1
    # The lock was released.
    with elsewhere.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [locks.key(processing.SETTLE_LOCK)])
        assert cursor.fetchone() == (True,)


def test_an_event_before_our_commit_holds_up_nobody_and_is_not_lost(elsewhere: Any, tell: Tell, now: datetime) -> None:
    """The provider is faster than the worker, which has not yet committed the outcome."""
    row, other = tell("complained", State.ATTEMPTING, metadata={}, message_id="<remote-1>"), tell("complained")
    elsewhere.set_autocommit(False)
    with elsewhere.cursor() as cursor:
        accepted = "UPDATE digests_delivery SET state = 'accepted', remote_id = %s, lease_until = NULL WHERE state = %s"
        cursor.execute(accepted, ["<remote-1>", "attempting"])
        assert cursor.rowcount == 1

        assert processing.settle(now=now) == 1
        other.refresh_from_db()
        assert other.settled_at == now
        elsewhere.commit()

    assert processing.settle(now=now + LATER) == 1
    row.refresh_from_db()
    assert (row.delivery_uuid, row.settled_at) == (Delivery.objects.get(remote_id="<remote-1>").uuid, now + LATER)
    assert Suppression.objects.count() == 2


def test_a_copy_that_is_being_settled_keeps_no_event_waiting(elsewhere: Any, tell: Tell, now: datetime) -> None:
    """As above, with the uuid that we gave along: the copy's row is locked, and nobody waits for the lock."""
    tell("delivered", State.ATTEMPTING)
    elsewhere.set_autocommit(False)
    with elsewhere.cursor() as cursor:
        cursor.execute("UPDATE digests_delivery SET state = 'uncertain', lease_until = NULL")
        with connection.cursor() as mine:
            mine.execute("SET lock_timeout = '1s'")
        assert processing.settle(now=now) == 0
        elsewhere.commit()
    connection.close()

    assert processing.settle(now=now + LATER) == 1
    assert Delivery.objects.get().state == State.ACCEPTED


def test_a_row_that_somebody_holds_is_passed_over(elsewhere: Any, tell: Tell, now: datetime) -> None:
    held, free = tell("delivered"), tell("complained")
    elsewhere.set_autocommit(False)
    with elsewhere.cursor() as cursor:
        cursor.execute("SELECT 1 FROM digests_deliveryevent WHERE id = %s FOR UPDATE", [held.pk])

    assert processing.settle(now=now) == 1

    free.refresh_from_db()
    assert free.settled_at == now
    elsewhere.rollback()


def test_two_that_act_on_one_event_at_once_do_it_once(transactional_db: None, tell: Tell, now: datetime) -> None:
    rows = [tell("complained") for _ in range(4)]
    both = threading.Barrier(2)

    def work() -> None:
        both.wait()
        for row in rows:
            processing._settle_alone(row.pk, now)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert unsettled() == 0
    assert ConsentEvent.objects.filter(kind="withdrawn").count() == 4
    assert Letter.objects.filter(kind="goodbye").count() == 4


def test_an_event_without_a_copy_is_retried_ever_more_rarely_for_a_day(db: None, now: datetime) -> None:
    events.store(events=[copies.event("delivered", message_id="<of another sender>")], provider="x", now=now)
    row, looks = DeliveryEvent.objects.get(), [now]
    while row.settled_at is None:
        processing.settle(now=looks[-1])
        row.refresh_from_db()
        looks.append(row.due_at)

    steps = [later - sooner for sooner, later in itertools.pairwise(looks[:-1])]
    assert steps[:3] == [LATER, LATER, LATER]
    assert max(steps) == timedelta(hours=1)
    assert row.settled_at == now + processing.PARKED_FOR
    assert len(steps) < 45


def test_an_event_that_was_not_processed_for_days_still_counts(tell: Tell, now: datetime) -> None:
    """The worker was away: being late is no reason to give up."""
    tell("delivered", State.UNCERTAIN)

    assert processing.settle(now=now + timedelta(days=9)) == 1
    assert Delivery.objects.get().state == State.ACCEPTED


# --- The task and its wake-up -------------------------------------------------------------------


def test_the_task_settles_everything_that_is_due(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "BATCH", 2)
    for _ in range(5):
        tell("delivered")

    processing.settle_events()

    assert unsettled() == 0


def test_what_comes_while_the_task_is_at_work_is_settled_too(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own task finds the lock taken and ends; so the one that holds it looks once more."""
    tell("delivered")
    settle, late = processing.settle, iter(["complained"])

    def settle_and_miss_one(**arguments: Any) -> int | None:
        settled = settle(**arguments)
        for word in late:
            tell(word)
        return settled

    monkeypatch.setattr(processing, "settle", settle_and_miss_one)

    processing.settle_events()

    assert (unsettled(), DeliveryEvent.objects.count()) == (0, 2)


def test_the_clock_settles_what_no_task_came_for(tell: Tell) -> None:
    tell("complained")

    tasks.tick()

    assert unsettled() == 0


def test_the_task_has_the_queue_that_workers_empty_before_the_digests() -> None:
    route = current_app.amqp.router.route({}, processing.settle_events.name)

    assert route["queue"].name == "webhooks"


def test_a_task_whose_time_is_over_comes_back(tell: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        tell("delivered")
    monkeypatch.setattr(processing, "BATCH", 1)
    monkeypatch.setattr(processing, "TASK_SECONDS", 0.0)
    called: list[str] = []
    monkeypatch.setattr(processing.settle_events, "delay_on_commit", lambda: called.append("again"), raising=False)

    processing.settle_events()

    assert (unsettled(), called) == (2, ["again"])


@pytest.fixture
def wake_ups(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The delay of each wake-up that was queued."""
    given: list[float] = []
    monkeypatch.setattr(processing.settle_events, "hint_in", given.append, raising=False)
    return given


def test_a_hundred_reports_at_once_are_one_wake_up(wake_ups: list[float]) -> None:
    wake_up = processing._WakeUp()

    for _ in range(100):
        wake_up.send()

    assert wake_ups == [processing.WAKE_UP_SECONDS]


def test_what_comes_after_the_time_of_a_wake_up_has_its_own(
    wake_ups: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(processing, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    wake_up = processing._WakeUp()

    for moment in (100.0, 100.9, 101.0, 101.5, 103.0):
        clock[0] = moment
        wake_up.send()

    assert len(wake_ups) == 3


def test_a_wake_up_that_hangs_holds_up_no_other_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis does not answer: one thread waits for it, the others go on."""
    hanging, go = threading.Event(), threading.Event()

    def hang(_seconds: float) -> None:
        hanging.set()
        assert go.wait(10)

    monkeypatch.setattr(processing.settle_events, "hint_in", hang, raising=False)
    monkeypatch.setattr(processing, "WAKE_UP_SECONDS", 0.0)
    wake_up = processing._WakeUp()
    thread = threading.Thread(target=wake_up.send)
    thread.start()
    assert hanging.wait(10)

    wake_up.send()

    go.set()
    thread.join()


def test_without_a_broker_the_report_is_stored_and_the_clock_finds_it(
    transactional_db: None, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def away(*_: object, **options: object) -> None:
        asked.append(options["countdown"])
        raise ConnectionRefusedError

    monkeypatch.setattr(processing.settle_events, "apply_async", away)
    tell("delivered")

    processing._WakeUp().send()

    assert (unsettled(), asked) == (1, [processing.WAKE_UP_SECONDS])
    assert processing.settle(now=timezone.now()) == 1
