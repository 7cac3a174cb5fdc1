"""Planning is one transaction: an audience is there as a whole or not at all, and only a deletion waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections, transaction
from django.utils import timezone

from digests import approval, stats
from digests.models import Issue
from digests.sending import audience, lanes, preparing, tasks
from digests.sending.tests.conftest import ScriptedTransport, frozen_issue, states, subscribe
from subscribers import consent, erasure, preferences, signup
from subscribers.models import Newsletter, Subscriber, Subscription, Suppression

pytestmark = pytest.mark.django_db(transaction=True)

READERS = 5
SECONDS = 10.0


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """In a thread with connections of its own, which is over at the end."""

    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    yield thread
    thread.join(SECONDS)
    assert not thread.is_alive()


@pytest.fixture
def readers(newsletter: Newsletter) -> list[Subscription]:
    return subscribe(newsletter, READERS)


@pytest.fixture
def planned_so_far(newsletter: Newsletter, readers: list[Subscription]) -> Iterator[tuple[Issue, Callable[[], None]]]:
    """An issue whose plan is written and not committed; the function ends it."""
    issue = frozen_issue(newsletter)
    written, over = threading.Event(), threading.Event()

    def plan() -> None:
        with transaction.atomic():
            audience.plan(issue=issue, now=timezone.now())
            written.set()
            over.wait(SECONDS)

    with beside(plan) as thread:
        try:
            assert written.wait(SECONDS)

            def end() -> None:
                over.set()
                thread.join(SECONDS)

            yield issue, end
        finally:
            over.set()


def impatient() -> None:
    """A statement that has to wait for a lock in this session fails."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '300ms'")


def erase(reader: Subscription) -> None:
    erasure.erase(
        address_key=reader.subscriber.address_key, evidence=consent.Evidence(), actor=None, now=timezone.now()
    )


def test_no_act_of_a_reader_waits_for_a_plan(
    planned_so_far: tuple[Issue, Callable[[], None]], readers: list[Subscription]
) -> None:
    evidence, now = consent.Evidence(), timezone.now()
    first, second, third, fourth, _ = readers
    impatient()
    assert signup.unsubscribe(subscription=first, evidence=evidence, reason="one_click", now=now)
    assert signup.unsubscribe_all(subscriber=second.subscriber, evidence=evidence, reason="test", now=now)
    preferences.choose_language(subscriber=third.subscriber, language="en")
    assert preferences.mail_link(subscriber=fourth.subscriber, now=now).pk
    # A lane of another issue holds the same readers so.
    with transaction.atomic():
        assert Subscriber.objects.select_for_update(no_key=True).count() == READERS
    connection.close()


def test_an_erasure_waits_for_a_plan_and_finds_its_copy(
    planned_so_far: tuple[Issue, Callable[[], None]], readers: list[Subscription]
) -> None:
    issue, end = planned_so_far
    with beside(lambda: erase(readers[0])) as thread:
        thread.join(0.3)
        assert thread.is_alive()
        end()
    assert not Subscriber.objects.filter(pk=readers[0].subscriber_id).exists()
    assert issue.deliveries.count() == READERS
    assert issue.deliveries.filter(subscriber=None).count() == 1


def test_an_erasure_that_waits_too_long_has_changed_nothing(
    planned_so_far: tuple[Issue, Callable[[], None]], readers: list[Subscription]
) -> None:
    impatient()
    with pytest.raises(OperationalError):
        erase(readers[0])
    with pytest.raises(CommandError, match="Try again in a minute"):
        call_command("erase", readers[0].subscriber.address)
    assert Subscriber.objects.filter(pk=readers[0].subscriber_id).exists()
    assert not Suppression.objects.exists()
    connection.close()


def test_a_reader_who_is_being_erased_is_not_planned_and_spoils_no_plan(
    newsletter: Newsletter, readers: list[Subscription]
) -> None:
    """The plan sees the reader, and waits for the deletion that is not committed yet."""
    issue = frozen_issue(newsletter)
    with beside(lambda: preparing.prepare(issue_id=issue.pk, now=timezone.now())) as thread, transaction.atomic():
        erase(readers[0])
        thread.join(0.3)
    issue.refresh_from_db()
    assert (issue.state, issue.audience_count) == (Issue.State.SENDING, issue.deliveries.count())
    assert not issue.deliveries.filter(subscriber_id=readers[0].subscriber_id).exists()
    assert stats.progress(issue).conserved


def test_requests_that_nobody_confirmed_are_dropped_beside_a_plan(
    planned_so_far: tuple[Issue, Callable[[], None]], newsletter: Newsletter
) -> None:
    [late] = subscribe(newsletter, 1)
    Subscription.objects.filter(pk=late.pk).update(
        state=Subscription.State.PENDING, requested_at=timezone.now() - erasure.KEEP_UNCONFIRMED * 2
    )
    impatient()
    assert erasure.forget_unconfirmed(now=timezone.now()) == 1
    connection.close()


@pytest.mark.parametrize("verb", ["cancel", "reopen"])
def test_a_plan_is_undone_when_the_issue_was_taken_back_meanwhile(
    newsletter: Newsletter, readers: list[Subscription], monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """Taking it back does not wait for the plan."""
    issue = frozen_issue(newsletter)
    plan = audience.plan

    def take_back() -> None:
        impatient()
        if verb == "cancel":
            approval.cancel(issue=issue, reason="Wrong.", actor=None, now=timezone.now())
        else:
            Issue.objects.filter(pk=issue.pk).update(state=Issue.State.DRAFT)

    def plan_meanwhile(**how: object) -> None:
        plan(**how)  # type: ignore[arg-type]  # passed on as they came
        with beside(take_back):
            pass

    monkeypatch.setattr(audience, "plan", plan_meanwhile)
    assert not preparing.prepare(issue_id=issue.pk, now=timezone.now())
    issue.refresh_from_db()
    assert issue.state == (Issue.State.CANCELLED if verb == "cancel" else Issue.State.DRAFT)
    assert (issue.audience_count, issue.deliveries.count()) == (None, 0)


def test_one_plans_at_a_time(
    newsletter: Newsletter, readers: list[Subscription], monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = frozen_issue(newsletter)
    plan, others = audience.plan, list[bool]()

    def plan_beside_another(**how: object) -> None:
        plan(**how)  # type: ignore[arg-type]  # passed on as they came
        with beside(lambda: others.append(preparing.prepare(issue_id=issue.pk, now=timezone.now()))):
            pass

    monkeypatch.setattr(audience, "plan", plan_beside_another)
    assert preparing.prepare(issue_id=issue.pk, now=timezone.now())
    assert others == [False]
    assert states(issue) == {"pending": READERS}


def test_a_process_that_dies_in_a_plan_leaves_nothing_and_the_clock_begins_again(
    newsletter: Newsletter, readers: list[Subscription], monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = frozen_issue(newsletter)
    plan = audience.plan

    def die(**how: object) -> None:
        plan(**how)  # type: ignore[arg-type]  # passed on as they came
        raise KeyboardInterrupt

    monkeypatch.setattr(audience, "plan", die)
    with pytest.raises(KeyboardInterrupt):
        preparing.prepare(issue_id=issue.pk, now=timezone.now())
    assert not issue.deliveries.exists()
    monkeypatch.setattr(audience, "plan", plan)
    assert preparing.prepare(issue_id=issue.pk, now=timezone.now())
    assert states(issue) == {"pending": READERS}


def test_waking_an_approved_issue_has_it_planned_beside_the_lanes(
    newsletter: Newsletter, readers: list[Subscription], transport: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    hints: list[str] = []
    for name in ("hint_lane", "hint_plan", "hint_wake"):
        monkeypatch.setattr(tasks, name, lambda *_numbers, name=name: hints.append(name))
    issue = frozen_issue(newsletter)
    tasks.wake_issue(issue.pk)
    assert hints == ["hint_plan"]
    tasks.plan_issue(issue.pk)
    assert hints == ["hint_plan", "hint_wake"]
    tasks.wake_issue(issue.pk)
    assert set(hints[2:]) == {"hint_lane"}
    lanes.run(issue_id=issue.pk, lane=0)
    assert len({copy.recipient for copy in transport.taken}) == len(transport.taken) == READERS


def test_uuids_follow_each_other_where_the_database_can_make_such(
    newsletter: Newsletter, readers: list[Subscription]
) -> None:
    """Random ones go to as many pages of their index, and leave each of them two thirds full."""
    issue = frozen_issue(newsletter)
    assert preparing.prepare(issue_id=issue.pk, now=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int")
        version = 7 if cursor.fetchone()[0] >= 180_000 else 4
    assert {uuid.version for uuid in issue.deliveries.values_list("uuid", flat=True)} == {version}


def test_the_database_has_figures_of_the_copies(newsletter: Newsletter, readers: list[Subscription]) -> None:
    """A claim without them walks over every copy of the issue."""
    assert preparing.prepare(issue_id=frozen_issue(newsletter).pk, now=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'digests_delivery_open'::regclass")
        assert cursor.fetchone()[0] == READERS


def test_cleaning_up_the_table_holds_up_no_issue(newsletter: Newsletter, readers: list[Subscription]) -> None:
    """VACUUM and CREATE INDEX CONCURRENTLY take the lock that ANALYZE takes, and keep it for long."""
    issue = frozen_issue(newsletter)
    locked, done = threading.Event(), threading.Event()

    def clean_up() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE digests_delivery_open IN SHARE UPDATE EXCLUSIVE MODE")
            locked.set()
            done.wait(SECONDS)

    with beside(clean_up):
        assert locked.wait(SECONDS)
        impatient()
        assert preparing.prepare(issue_id=issue.pk, now=timezone.now())
        done.set()
    connection.close()
