"""An event is stored once, whatever it contains, and without an address."""

import contextlib
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections

from digests.feedback import events, processing
from digests.models import Delivery, DeliveryEvent
from digests.tests import copies
from subscribers.models import Newsletter
from tests import ownership
from tests.table import rows

Kind = DeliveryEvent.Kind


@pytest.fixture
def sent(newsletter: Newsletter) -> Delivery:
    return copies.copy(copies.issue(newsletter), copies.reader(newsletter), Delivery.State.ACCEPTED)


def record(event: Any, now: datetime, provider: str = "Mailgun") -> DeliveryEvent | None:
    return processing.record(event=event, provider=provider, now=now)


def test_a_hundred_repeats_are_one_row(sent: Delivery, now: datetime) -> None:
    event = copies.event("delivered", sent)

    stored = [record(event, now + timedelta(seconds=second)) for second in range(100)]

    assert [row is not None for row in stored] == [True] + [False] * 99
    assert DeliveryEvent.objects.count() == 1


def test_the_same_id_of_another_provider_is_another_event(sent: Delivery, now: datetime) -> None:
    event = copies.event("delivered", sent)

    record(event, now, "Mailgun")
    record(event, now, "Amazon SES")

    assert set(DeliveryEvent.objects.values_list("provider", flat=True)) == {"mailgun", "amazon_ses"}


def test_without_an_id_the_same_facts_are_the_same_event(sent: Delivery, now: datetime) -> None:
    facts = {"event_id": None, "message_id": "abc", "recipient": "anna@readers.example"}

    record(copies.event("delivered", sent, **facts), now)
    record(copies.event("delivered", sent, **facts), now + timedelta(hours=1))

    assert DeliveryEvent.objects.count() == 1


@rows(
    "other",
    [
        {"event_type": "deferred"},
        {"timestamp": datetime(2025, 5, 6, 9, 20, tzinfo=UTC)},
        {"recipient": "berta@readers.example"},
        {"message_id": "def"},
        {"click_url": "https://news.example/2"},
        {"metadata": {"delivery": "0e9b9e53-1c4c-4a34-a8ae-77a5f2a2a2f2"}},
    ],
)
def test_without_an_id_other_facts_are_another_event(sent: Delivery, now: datetime, other: dict[str, Any]) -> None:
    facts = {"event_id": None, "message_id": "abc"}
    record(copies.event("delivered", sent, **facts), now)

    changed: dict[str, Any] = facts | other
    record(copies.event(changed.pop("event_type", "delivered"), sent, **changed), now)

    assert DeliveryEvent.objects.count() == 2


def test_an_id_longer_than_the_column_still_counts_once(sent: Delivery, now: datetime) -> None:
    for _ in range(2):
        record(copies.event("delivered", sent, event_id="x" * 300), now)
    record(copies.event("delivered", sent, event_id="x" * 299 + "y"), now)

    assert DeliveryEvent.objects.count() == 2


@rows(
    ("word", "kind"),
    [
        ("delivered", Kind.DELIVERED),
        ("deferred", Kind.SOFT_BOUNCE),
        ("bounced", Kind.HARD_BOUNCE),
        ("rejected", Kind.HARD_BOUNCE),
        ("failed", Kind.HARD_BOUNCE),
        ("complained", Kind.COMPLAINT),
        ("unsubscribed", Kind.UNSUBSCRIBE),
        ("clicked", Kind.CLICK),
    ],
)
def test_anymails_words_become_ours(sent: Delivery, now: datetime, word: str, kind: Kind) -> None:
    row = record(copies.event(word, sent), now)

    assert row is not None
    assert row.kind == kind
    assert row.settled_at == now


def test_a_soft_bounce_behind_the_word_bounced_is_soft(sent: Delivery, now: datetime) -> None:
    row = record(copies.event("bounced", sent, reject_reason="bounced", mta_response="452 4.2.2 Mailbox full"), now)

    assert row is not None
    assert row.kind == Kind.SOFT_BOUNCE


@rows("word", ["queued", "sent", "autoresponded", "subscribed", "inbound", "unknown", "news"])
def test_irrelevant_kinds_are_logged_and_not_stored(
    sent: Delivery, now: datetime, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "digests.feedback.events")

    assert record(copies.event(word, sent), now) is None
    assert DeliveryEvent.objects.count() == 0
    assert f"mailgun reported {word}" in caplog.text


def test_an_address_in_the_servers_reply_is_not_stored(sent: Delivery, now: datetime) -> None:
    response = "550 5.7.1 <anna@readers.example>: refused (to=Anna@Readers.example)"

    row = record(copies.event("bounced", sent, mta_response=response), now)

    assert row is not None
    stored = DeliveryEvent.objects.values().get(pk=row.pk)
    assert "readers.example" not in repr(stored).lower()
    assert "5.7.1" in row.description


@rows(
    "hostile",
    [
        {"description": "nul \x00 byte"},
        {"description": "lone \ud800 surrogate"},
        {"description": "x" * 100_000},
        {"description": ["a", "list"]},
        {"message_id": "\x00"},
        {"message_id": "m" * 10_000},
        {"event_id": "\x00\ud800"},
        {"event_id": 17},
        {"metadata": None},
        {"metadata": ["delivery"]},
        {"metadata": {"delivery": "' OR 1=1 --"}},
        {"metadata": {"delivery": {"deep": []}}},
        {"recipient": "not an address"},
        {"recipient": 17},
        {"timestamp": None},
        {"timestamp": "yesterday"},
        {"timestamp": datetime(2025, 5, 6, 9, 1)},  # noqa: DTZ001  # a provider that names no zone
        {"timestamp": datetime.max.replace(tzinfo=UTC)},
        {"timestamp": datetime.min.replace(tzinfo=UTC)},
        {"reject_reason": "news"},
    ],
)
@rows("kind", ["bounced", "delivered", "complained"])
def test_hostile_content_is_stored_and_never_raises(
    sent: Delivery, now: datetime, kind: str, hostile: dict[str, Any]
) -> None:
    assert record(copies.event(kind, sent, **hostile), now) is not None
    assert DeliveryEvent.objects.count() == 1


def test_one_that_the_database_refuses_keeps_out_no_other(
    transactional_db: None, sent: Delivery, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No known event gets this far. If one does, the others must not be lost."""
    facts = events._facts

    def overlook(event: events.TrackingEvent, kind: events.Kind, provider: str, moment: datetime) -> dict[str, object]:
        bad = {"kind": "news"} if event.event_id == "bad" else {}
        return facts(event, kind, provider, moment) | bad

    monkeypatch.setattr(events, "_facts", overlook)
    batch = [copies.event("delivered", sent, event_id=name) for name in ("good", "bad", "fine")]

    with pytest.raises(events.NotStored):
        events.store(events=batch, provider="x", now=now)
    assert set(DeliveryEvent.objects.values_list("event_id", flat=True)) == {"good", "fine"}


def test_a_connection_that_broke_since_the_last_report_costs_nothing(
    transactional_db: None, sent: Delivery, now: datetime
) -> None:
    """PostgreSQL was restarted between two reports: the second is stored all the same."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        mine = cursor.fetchone()
    other = connections.create_connection("default")
    with contextlib.closing(other), other.cursor() as cursor:
        cursor.execute("SET ROLE NONE")
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", mine)

    assert len(events.store(events=[copies.event("delivered", sent)], provider="x", now=now)) == 1


def _seen(query: str) -> bool:
    """Whether it finds a session. Each query is its own transaction, because PostgreSQL caches the list in one."""
    with ownership.owner(), connection.cursor() as cursor:
        cursor.execute(query)
        return bool(cursor.fetchall())


def test_two_requests_with_the_same_events_do_not_deadlock(
    transactional_db: None, sent: Delivery, now: datetime
) -> None:
    """One has stored `a` and not committed; the other must not hold `b` while it waits."""
    batch = [copies.event("delivered", sent, event_id=name) for name in ("b", "a")]
    first, second = (json.dumps([events._row(event, "x", now)], default=str) for event in reversed(batch))
    other = connections.create_connection("default")
    other.set_autocommit(False)
    with contextlib.closing(other), other.cursor() as cursor:
        cursor.execute(events.STORE, [first])

        def store() -> None:
            events.store(events=batch, provider="x", now=now)
            connection.close()

        thread = threading.Thread(target=store)
        thread.start()
        blocked = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'transactionid' AND datname = current_database()"
        while not _seen(blocked):
            time.sleep(0.01)
        cursor.execute(events.STORE, [second])
        other.commit()
    thread.join(10)
    assert DeliveryEvent.objects.count() == 2


def test_an_event_is_never_from_the_future(sent: Delivery, now: datetime) -> None:
    row = record(copies.event("delivered", sent, timestamp=now + timedelta(days=900)), now)

    assert row is not None
    assert row.occurred_at == now
