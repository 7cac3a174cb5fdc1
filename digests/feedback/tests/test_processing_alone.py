"""An event that changes a reader's rows is processed once, in its own transaction, in a fixed lock order."""

import logging
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection

from digests import issue_outcomes
from digests.feedback import correlation, events, handlers, processing
from digests.models import Delivery, DeliveryEvent, Issue
from digests.tests import copies
from subscribers.models import Letter, Newsletter, Subscriber, Suppression

State = Delivery.State
GONE: dict[str, Any] = {"reject_reason": "bounced", "mta_response": "550 5.1.1 no such user"}


def tell_of_three(newsletter: Newsletter, state: Delivery.State, word: str, now: datetime) -> None:
    """One event for each of three readers' copies."""
    issue = copies.issue(newsletter)
    for name in ("anna", "bert", "cleo"):
        copy = copies.copy(issue, copies.reader(newsletter, f"{name}@readers.example"), state)
        events.store(events=[copies.event(word, copy)], provider="Mailgun", now=now)


def test_what_was_settled_is_not_done_again(newsletter: Newsletter, now: datetime) -> None:
    """By then the mailbox is no longer stored, and the reader may have another address."""
    reader = copies.reader(newsletter)
    copy = copies.copy(copies.issue(newsletter), reader, State.ACCEPTED)
    events.store(events=[copies.event("bounced", copy, **GONE)], provider="Mailgun", now=now)
    row = DeliveryEvent.objects.get()
    assert processing._settle_alone(row.pk, now) == 1
    Subscriber.objects.filter(pk=reader.pk).update(address_hash="f" * 64)

    assert processing._settle_alone(row.pk, now) == 0
    assert Suppression.objects.get().address_hash == reader.address_hash


def test_what_somebody_else_is_at_is_left_to_them(
    elsewhere: Any, newsletter: Newsletter, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    copy = copies.copy(copies.issue(newsletter), copies.reader(newsletter), State.ACCEPTED)
    events.store(events=[copies.event("complained", copy)], provider="Mailgun", now=now)
    row = DeliveryEvent.objects.get()
    with elsewhere.cursor() as theirs, connection.cursor() as mine:
        theirs.execute("SELECT 1 FROM digests_deliveryevent FOR UPDATE")
        mine.execute("SET lock_timeout = '100ms'")
        with caplog.at_level(logging.ERROR):
            assert processing._settle_alone(row.pk, now) == 0
    assert caplog.text == ""


def test_a_database_that_went_away_is_not_asked_once_for_each_event(
    newsletter: Newsletter, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise each of hundreds of events would wait for a connection."""
    tell_of_three(newsletter, State.ACCEPTED, "complained", now)
    find, asked = correlation.find, list[int]()

    def away(rows: list[DeliveryEvent]) -> correlation.Matches:
        asked.append(len(rows))
        if len(rows) > 1:
            return find(rows)
        raise OperationalError

    monkeypatch.setattr(correlation, "find", away)
    monkeypatch.setattr(connection, "is_usable", lambda: False, raising=False)
    with pytest.raises(OperationalError):
        processing.settle(now=now)
    assert asked == [3, 1]


def test_a_batch_that_no_one_can_settle_together_is_settled_one_by_one(
    newsletter: Newsletter, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell_of_three(newsletter, State.UNCERTAIN, "delivered", now)

    def stumble(*_: object) -> tuple[list[DeliveryEvent], int]:
        raise LookupError

    monkeypatch.setattr(processing, "_settle_quiet", stumble)
    assert processing.settle(now=now) == 3
    assert set(Delivery.objects.values_list("state", flat=True)) == {State.ACCEPTED}


def test_what_is_said_of_a_letter_has_a_transaction_of_its_own(newsletter: Newsletter, now: datetime) -> None:
    """It suppresses a reader, whose rows are not held while hundreds of others are settled."""
    letter = Letter.objects.create(kind=Letter.Kind.CONFIRM, subscriber=copies.reader(newsletter))
    complaint = copies.event("complained", message_id=str(letter.uuid))
    events.store(events=[complaint], provider="x", now=now)
    rows = list(DeliveryEvent.objects.all())
    assert processing._settle_quiet(rows, now) == (rows, 0)
    assert not Suppression.objects.exists()
    assert processing.settle(now=now) == 1
    assert Suppression.objects.exists()


def test_copies_and_issues_are_taken_in_the_order_of_their_numbers(
    newsletter: Newsletter, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same lock order as for closing an issue and settling its copies. Two orders would deadlock."""
    followed, lifted = list[int](), list[int]()
    in_order = []
    for number, place in enumerate((1_000_001, 1_000_008)):
        issue = copies.issue(newsletter)
        Issue.objects.filter(pk=issue.pk).update(id=place)
        issue.pk = place
        for name in ("anna", "bert"):
            reader = copies.reader(newsletter, f"{name}{number}@readers.example")
            in_order.append(copies.copy(issue, reader, State.UNCERTAIN))
    for copy in (in_order[2], in_order[0], in_order[3], in_order[1]):
        events.store(events=[copies.event("delivered", copy)], provider="Mailgun", now=now)
        now += timedelta(seconds=1)
    follow = handlers.follow

    def note(row: DeliveryEvent, copy: Delivery, moment: datetime) -> handlers.Effect:
        followed.append(copy.pk)
        return follow(row, copy, moment)

    monkeypatch.setattr(handlers, "follow", note)
    monkeypatch.setattr(issue_outcomes, "lift_exceptions", lambda *, issue_id: lifted.append(issue_id))
    assert processing.settle(now=now) == 4
    assert followed == [copy.pk for copy in in_order]
    assert lifted == [1_000_001, 1_000_008]


def test_when_nothing_is_due_any_more_the_pass_ends(db: None, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[datetime] = []

    def look(moment: datetime) -> tuple[int, int]:
        looks.append(moment)
        return (processing.BATCH, 7) if len(looks) == 1 else (1, 1)

    monkeypatch.setattr(processing, "_settle_batch", look)
    assert processing.settle(now=now, seconds=0.5) == 8
    assert len(looks) == 2


@pytest.mark.parametrize("settled", [None, 0], ids=["somebody else is at it", "what is due cannot be settled now"])
def test_a_task_that_can_do_nothing_does_not_loop(
    newsletter: Newsletter, now: datetime, monkeypatch: pytest.MonkeyPatch, settled: int | None
) -> None:
    copy = copies.copy(copies.issue(newsletter), copies.reader(newsletter))
    events.store(events=[copies.event("delivered", copy)], provider="Mailgun", now=now)
    calls: list[str] = []

    def settle(**_: object) -> int | None:
        calls.append("settle")
        return settled

    monkeypatch.setattr(processing, "settle", settle)
    monkeypatch.setattr(processing, "TASK_SECONDS", 0.2)
    monkeypatch.setattr(processing.settle_events, "delay_on_commit", lambda: calls.append("again"), raising=False)
    processing.settle_events()
    assert calls == ["settle"]


def test_who_waits_longest_comes_first_and_nobody_before_their_time(
    db: None, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events without a copy are retried rarely: they would fill the batches of those that can be settled."""
    monkeypatch.setattr(processing, "BATCH", 1)
    for age in (2, 3, 1):
        unmatched = copies.event("delivered", event_id=str(age), message_id="<a stranger's>")
        events.store(events=[unmatched], provider="x", now=now - timedelta(seconds=age))
    looked_at = list[str]()
    for _ in range(3):
        processing.settle(now=now, seconds=-1)
        looked_at += (
            DeliveryEvent.objects.filter(due_at__gt=now)
            .exclude(event_id__in=looked_at)
            .values_list("event_id", flat=True)
        )
    assert looked_at == ["3", "2", "1"]

    hours = set(DeliveryEvent.objects.values_list("due_at", flat=True))
    assert processing.settle(now=now + timedelta(seconds=30)) == 0
    assert set(DeliveryEvent.objects.values_list("due_at", flat=True)) == hours
