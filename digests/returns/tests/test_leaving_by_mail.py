"""The mail that List-Unsubscribe offers: it ends one subscription, as the button does."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from digests.models import Delivery
from digests.returns import arrivals
from digests.returns.arrivals import Arrival
from digests.tests import copies
from subscribers import links
from subscribers.models import ConsentEvent, Subscriber, Subscription


def wish(subject: str, *, sent_at: datetime = copies.LEFT_AT, taken_at: datetime | None = None) -> bytes:
    lines = [f"Received: from a by b; {format_datetime(taken_at)}"] if taken_at else []
    lines += ["From: Anna <anna@readers.example>", f"Subject: {subject}", f"Date: {format_datetime(sent_at)}", "", ""]
    return "\r\n".join(lines).encode()


@pytest.fixture
def token(reader: Subscriber) -> str:
    return links.unsubscribe_token(subscription=Subscription.objects.get(subscriber=reader))


def state() -> str:
    return Subscription.objects.get().state


@pytest.mark.parametrize(
    "subject",
    [
        "unsubscribe-{}",
        "Re: unsubscribe-{}",
        "Bitte: unsubscribe-{} =?utf-8?q?=C3=BC?=",
        "Please unsubscribe-{}",
        "\r\n unsubscribe-{}",
    ],
)
def test_the_subject_alone_ends_the_subscription(token: str, now: datetime, subject: str) -> None:
    assert arrivals.take(raw=wish(subject.replace("{}", token)), now=now) is Arrival.LEFT
    assert state() == "unsubscribed"
    last = ConsentEvent.objects.last()
    assert last is not None
    assert (last.kind, last.source, last.basis) == ("withdrawn", "mail", "asked for by mail")


def test_a_subject_that_a_mail_program_folded_is_read(token: str, now: datetime) -> None:
    encoded = [part.replace("_", "=5F") for part in (token[:60], token[60:])]
    folded = "\r\n ".join(f"=?utf-8?q?{part}?=" for part in ("unsubscribe-", *encoded))
    assert arrivals.take(raw=wish(folded), now=now) is Arrival.LEFT


def test_a_subject_that_was_folded_within_the_token_is_read(token: str, now: datetime) -> None:
    assert arrivals.take(raw=wish(f"unsubscribe-{token[:60]}\r\n {token[60:]}"), now=now) is Arrival.LEFT


def test_a_forged_token_ends_nothing(token: str, now: datetime) -> None:
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")
    for subject in (f"unsubscribe-{forged}", "unsubscribe-", "unsubscribe me please", "unsubscribe-" + "x" * 900):
        assert arrivals.take(raw=wish(subject), now=now) is Arrival.IGNORED
    assert state() == "confirmed"


def test_a_second_reading_of_the_same_mail_ends_no_newer_subscription(token: str, now: datetime) -> None:
    raw = wish(f"unsubscribe-{token}")
    arrivals.take(raw=raw, now=now)
    again = {"consent_event": ConsentEvent.objects.first(), "confirmed_at": now + timedelta(days=1)}
    Subscription.objects.update(state="confirmed", **again)
    assert arrivals.take(raw=raw, now=now + timedelta(days=2)) is Arrival.IGNORED
    assert state() == "confirmed"


def test_a_readers_wrong_clock_keeps_nobody(token: str, now: datetime) -> None:
    """Our own mail server has written down when the mail came."""
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)
    assert arrivals.take(raw=wish(f"unsubscribe-{token}", sent_at=long_ago, taken_at=now), now=now) is Arrival.LEFT


@pytest.mark.parametrize(("minutes", "arrival"), [(4, Arrival.LEFT), (6, Arrival.IGNORED)])
def test_two_clocks_may_differ_by_a_few_minutes(token: str, now: datetime, minutes: int, arrival: Arrival) -> None:
    """Whoever confirms and leaves at once is not kept by a mail server whose clock is slow."""
    taken_at = copies.CONFIRMED_AT - timedelta(minutes=minutes)
    assert arrivals.take(raw=wish(f"unsubscribe-{token}", taken_at=taken_at), now=now) is arrival


def test_it_names_no_copy_and_changes_none(token: str, copy: Delivery, now: datetime) -> None:
    arrivals.take(raw=wish(f"unsubscribe-{token}"), now=now)
    copy.refresh_from_db()
    assert copy.state == "uncertain"
