"""An event and the engine serialise on row locks: the second one sees what the first has committed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from core import prepared_statements
from digests.feedback import events, handlers, processing
from digests.models import Delivery, DeliveryEvent, Issue
from digests.tests import copies
from postal import config
from subscribers.models import Newsletter, Suppression
from tests.table import rows

State = Delivery.State
Kind = DeliveryEvent.Kind
LATER = timedelta(minutes=1)
GONE: dict[str, Any] = {"reject_reason": "bounced", "mta_response": "550 5.1.1 no such user"}
FULL: dict[str, Any] = {"reject_reason": "bounced", "mta_response": "552 5.2.2 mailbox full"}


@pytest.mark.parametrize(("word", "details"), [("bounced", GONE), ("bounced", FULL), ("complained", {})])
@pytest.mark.parametrize("table", ["subscribers_subscription", "subscribers_subscriber"])
def test_nobody_is_suppressed_while_an_attempt_is_being_recorded(
    elsewhere: Any, newsletter: Newsletter, now: datetime, settings: Any, word: str, details: dict[str, Any], table: str
) -> None:
    """The engine holds the reader's rows while it commits that a copy may leave."""
    settings.SOFT_BOUNCES = config.SoftBounces(copies=1, days=0)
    copy = copies.copy(copies.issue(newsletter), copies.reader(newsletter), State.ACCEPTED)
    events.store(events=[copies.event(word, copy, **details)], provider="Mailgun", now=now)
    with elsewhere.cursor() as engine, connection.cursor() as mine:
        engine.execute(f"SELECT 1 FROM {table} FOR NO KEY UPDATE")  # noqa: S608  # one of two names above
        mine.execute("SET lock_timeout = '50ms'")
        assert processing.settle(now=now) == 0
        assert not Suppression.objects.exists()
    elsewhere.rollback()

    assert processing.settle(now=now + LATER) == 1
    assert Suppression.objects.count() == 1


def test_an_issue_that_is_being_closed_keeps_its_last_exception_until_it_is(
    elsewhere: Any, newsletter: Newsletter, now: datetime
) -> None:
    issue = copies.issue(newsletter)
    copy = copies.copy(issue, copies.reader(newsletter), State.UNCERTAIN)
    events.store(events=[copies.event("delivered", copy)], provider="Mailgun", now=now)
    with elsewhere.cursor() as closing, connection.cursor() as mine:
        closing.execute("UPDATE digests_issue SET state = 'sent_with_exceptions', state_reason = 'exceptions'")
        mine.execute("SET lock_timeout = '50ms'")
        with pytest.raises(OperationalError):
            processing.settle(now=now)
        elsewhere.commit()

    assert processing.settle(now=now + LATER) == 1
    issue.refresh_from_db()
    assert issue.state == Issue.State.SENT


def test_events_are_written_in_one_order_whatever_the_request(
    db: None, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two requests with the same events in another order would wait for each other's rows."""
    written: list[str] = []

    def send(rows: str) -> list[int]:
        written.append(rows)
        return []

    monkeypatch.setattr(events, "_send", send)
    reported = [copies.event("delivered", event_id=name) for name in ("b", "c", "a")]
    events.store(events=reported, provider="x", now=now)
    events.store(events=reported[::-1], provider="x", now=now)
    assert written[0] == written[1]


def test_a_database_that_is_away_is_not_mistaken_for_an_event_that_cannot_be_stored(
    db: None, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> list[tuple[int]]:
        raise OperationalError

    monkeypatch.setattr(prepared_statements, "rows", away)
    with pytest.raises(OperationalError), transaction.atomic():
        events.store(events=[copies.event("delivered")], provider="x", now=now)
    assert connection.is_usable(), "the caller that has a transaction open decides what becomes of it"


@rows(
    ("kind", "fields", "is_quiet"),
    [
        (Kind.OPEN, {}, True),
        (Kind.CLICK, {}, True),
        (Kind.DELIVERED, {}, True),
        (Kind.SOFT_BOUNCE, {"gave_up": False}, True),
        (Kind.SOFT_BOUNCE, {"gave_up": True}, False),
        (Kind.HARD_BOUNCE, {"about_mailbox": False}, True),
        (Kind.HARD_BOUNCE, {"about_mailbox": True}, False),
        (Kind.COMPLAINT, {}, False),
        (Kind.UNSUBSCRIBE, {}, False),
    ],
)
def test_only_what_changes_a_readers_rows_has_a_transaction_of_its_own(
    newsletter: Newsletter, kind: Kind, fields: dict[str, bool], is_quiet: bool
) -> None:
    copy = copies.copy(copies.issue(newsletter), copies.reader(newsletter), State.ACCEPTED)
    assert handlers.is_quiet(DeliveryEvent(kind=kind, **fields), copy) is is_quiet
