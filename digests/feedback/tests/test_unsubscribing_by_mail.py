"""The mail that List-Unsubscribe offers: it ends one subscription, as the button does."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from django.conf import LazySettings
from hypothesis import given
from hypothesis import strategies as st

from digests import rendering
from digests.feedback import ingestion, unsubscribe_mail
from digests.feedback.ingestion import Arrival
from digests.models import Delivery
from digests.tests import copies
from subscribers import links
from subscribers.models import ConsentEvent, Newsletter, Subscriber, Subscription


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
    assert ingestion.take(raw=wish(subject.replace("{}", token)), now=now) is Arrival.LEFT
    assert state() == "unsubscribed"
    last = ConsentEvent.objects.last()
    assert last is not None
    assert (last.kind, last.source, last.basis) == ("withdrawn", "mail", "asked for by mail")


def test_a_subject_that_a_mail_program_folded_is_read(token: str, now: datetime) -> None:
    encoded = [part.replace("_", "=5F") for part in (token[:60], token[60:])]
    folded = "\r\n ".join(f"=?utf-8?q?{part}?=" for part in ("unsubscribe-", *encoded))
    assert ingestion.take(raw=wish(folded), now=now) is Arrival.LEFT


def test_a_subject_that_was_folded_within_the_token_is_read(token: str, now: datetime) -> None:
    assert ingestion.take(raw=wish(f"unsubscribe-{token[:60]}\r\n {token[60:]}"), now=now) is Arrival.LEFT


def test_a_forged_token_ends_nothing(token: str, now: datetime) -> None:
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")
    for subject in (f"unsubscribe-{forged}", "unsubscribe-", "how do I unsubscribe?", "unsubscribe-" + "x" * 900):
        assert ingestion.take(raw=wish(subject), now=now) is Arrival.IGNORED
    assert state() == "confirmed"


def test_a_second_reading_of_the_same_mail_ends_no_newer_subscription(token: str, now: datetime) -> None:
    raw = wish(f"unsubscribe-{token}")
    ingestion.take(raw=raw, now=now)
    again = {"consent_event": ConsentEvent.objects.first(), "confirmed_at": now + timedelta(days=1)}
    Subscription.objects.update(state="confirmed", **again)
    assert ingestion.take(raw=raw, now=now + timedelta(days=2)) is Arrival.IGNORED
    assert state() == "confirmed"


def test_a_readers_wrong_clock_keeps_nobody(token: str, now: datetime) -> None:
    """Our own mail server has written down when the mail came."""
    long_ago = datetime(2001, 1, 1, tzinfo=UTC)
    assert ingestion.take(raw=wish(f"unsubscribe-{token}", sent_at=long_ago, taken_at=now), now=now) is Arrival.LEFT


@pytest.mark.parametrize(("minutes", "arrival"), [(4, Arrival.LEFT), (6, Arrival.IGNORED)])
def test_two_clocks_may_differ_by_a_few_minutes(token: str, now: datetime, minutes: int, arrival: Arrival) -> None:
    """A reader who confirms and leaves at once must not fail because of a mail server with a slow clock."""
    taken_at = copies.CONFIRMED_AT - timedelta(minutes=minutes)
    assert ingestion.take(raw=wish(f"unsubscribe-{token}", taken_at=taken_at), now=now) is arrival


def test_it_names_no_copy_and_changes_none(token: str, copy: Delivery, now: datetime) -> None:
    ingestion.take(raw=wish(f"unsubscribe-{token}"), now=now)
    copy.refresh_from_db()
    assert copy.state == "uncertain"


# --- The address alone ---------------------------------------------------------------------------

RETURN_DOMAIN = "bounces.blocknews.example"


def asked(*lines: str, text: str = "") -> bytes:
    """A mail of Anna's with these headers."""
    return "\r\n".join([*lines, "", text]).encode()


@pytest.fixture
def way_out(reader: Subscriber) -> str:
    """The address that her copies name in List-Unsubscribe."""
    subscription = Subscription.objects.get(subscriber=reader)
    code = unsubscribe_mail.code(reader=reader.uuid, newsletter_id=subscription.newsletter_id)
    return f"unsubscribe+{code}@{RETURN_DOMAIN}"


ANNA = "From: Anna <anna@readers.example>"


@pytest.mark.parametrize("subject", ["unsubscribe", "Re: unsubscribe", "", "Bitte nicht mehr", "(no subject)"])
def test_the_address_says_whose_wish_it_is_whatever_the_subject_says(way_out: str, now: datetime, subject: str) -> None:
    assert ingestion.take(raw=asked(ANNA, f"Subject: {subject}"), envelope_to=way_out, now=now) is Arrival.LEFT
    assert state() == "unsubscribed"


@pytest.mark.parametrize("fold", [str, str.upper, str.title])
@pytest.mark.parametrize("header", ["To: {}", "Delivered-To: {}", "X-Original-To: {}", "Received: by mx for <{}>"])
def test_the_address_may_stand_in_a_header_and_in_any_case(
    way_out: str, now: datetime, header: str, fold: Callable[[str], str]
) -> None:
    """As in a mailbox that is fetched. The sender does not matter: mail is forwarded, and addresses change."""
    raw = asked("From: A. N. Other <other@elsewhere.example>", header.format(fold(way_out)), "Subject: unsubscribe")
    assert ingestion.take(raw=raw, now=now) is Arrival.LEFT


def test_an_address_is_short_enough_for_every_server(way_out: str) -> None:
    assert len(way_out.partition("@")[0]) <= 64


def test_a_forged_address_ends_nothing(way_out: str, now: datetime) -> None:
    at = len("unsubscribe+")
    forged = way_out[:at] + ("a" if way_out[at] != "a" else "b") + way_out[at + 1 :]
    for address in (forged, "unsubscribe+@x.example", "unsubscribe+" + "7" * 48 + "@x.example"):
        assert ingestion.take(raw=asked("From: x@y.example"), envelope_to=address, now=now) is Arrival.IGNORED
    assert state() == "confirmed"


def test_an_address_under_a_former_key_still_works(way_out: str, now: datetime, settings: LazySettings) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another key, long enough to be one", [settings.SECRET_KEY]
    assert ingestion.take(raw=asked(ANNA), envelope_to=way_out, now=now) is Arrival.LEFT


@pytest.mark.parametrize(
    "line",
    [
        "Auto-Submitted: auto-replied",
        "Precedence: auto_reply",
        "X-Autoreply: yes",
        "From: MAILER-DAEMON@readers.example",
    ],
)
def test_a_machine_that_answers_there_asks_for_nothing(way_out: str, now: datetime, line: str) -> None:
    raw = asked(*([] if line.startswith("From") else [ANNA]), line, "Subject: unsubscribe")
    assert ingestion.take(raw=raw, envelope_to=way_out, now=now) is Arrival.IGNORED
    assert state() == "confirmed"


def test_the_copy_that_leaves_names_the_address_that_works(
    newsletter: Newsletter, reader: Subscriber, copy: Delivery, now: datetime, settings: LazySettings
) -> None:
    settings.RETURN_DOMAIN = RETURN_DOMAIN
    offered = dict(rendering.headers(issue=copy.issue, subject="Today"))["List-Unsubscribe"]
    code = unsubscribe_mail.code(reader=reader.uuid, newsletter_id=newsletter.pk)
    mailto = offered.replace("%%unsubscribe_code%%", code).partition("<mailto:")[2].rstrip(">")
    address, _, query = mailto.partition("?")
    assert query == "subject=unsubscribe"
    assert ingestion.take(raw=asked(ANNA, "Subject: unsubscribe"), envelope_to=address, now=now) is Arrival.LEFT


# --- A bare word ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "subject",
    [
        "unsubscribe", "Unsubscribe.", "UNSUBSCRIBE", "Re: unsubscribe", "Fwd: Re: Unsubscribe", "AW: Abmelden",
        "please unsubscribe", "unsubscribe me please", "unsubscribe from Tech News", "<unsubscribe>",
        "Désinscription", "Darse de baja", "Отписаться", "退订", "=?utf-8?b?0J7RgtC/0LjRgdCw0YLRjNGB0Y8=?=",
    ],
)  # fmt: skip
def test_a_bare_word_is_a_wish_of_its_sender(reader: Subscriber, now: datetime, subject: str) -> None:
    raw = asked(ANNA, f"To: unsubscribe@{RETURN_DOMAIN}", f"Subject: {subject}")
    assert ingestion.take(raw=raw, now=now) is Arrival.LEFT
    assert state() == "unsubscribed"


def test_without_a_subject_the_first_line_counts(reader: Subscriber, now: datetime) -> None:
    assert ingestion.take(raw=asked(ANNA, text="\r\nUnsubscribe\r\n-- \r\nAnna"), now=now) is Arrival.LEFT


@pytest.mark.parametrize(
    "subject",
    [
        "How do I unsubscribe?",
        "unsubscribe or not",
        "Your story about people who unsubscribe",
        "Re: What happened",
        "stopped",
    ],
)
def test_a_mail_about_it_is_no_wish(reader: Subscriber, now: datetime, subject: str) -> None:
    assert ingestion.take(raw=asked(ANNA, f"Subject: {subject}"), now=now) is Arrival.IGNORED
    assert state() == "confirmed"


def test_an_answer_to_a_copy_is_about_its_newsletter_from_any_address(
    copy: Delivery, reader: Subscriber, now: datetime
) -> None:
    """The copy's Message-ID is known to nobody who does not have it."""
    other = Newsletter.objects.create(name="Other", slug="other", description="Other.")
    mine = Subscription.objects.get()
    Subscription.objects.create(
        subscriber=reader, newsletter=other, cadence="daily", state="confirmed", consent_event=mine.consent_event
    )
    raw = asked("From: anna@elsewhere.example", f"In-Reply-To: <{copy.uuid}@blocknews.example>", "Subject: unsubscribe")
    assert ingestion.take(raw=raw, now=now) is Arrival.LEFT
    assert list(Subscription.objects.order_by("pk").values_list("state", flat=True)) == ["unsubscribed", "confirmed"]


def test_a_bare_word_of_a_stranger_ends_nothing(reader: Subscriber, now: datetime) -> None:
    for sender in ("other@readers.example", "anna@", "", "@"):
        assert ingestion.take(raw=asked(f"From: {sender}", "Subject: unsubscribe"), now=now) is Arrival.IGNORED
    assert state() == "confirmed"


def test_a_sender_that_our_own_server_found_forged_ends_nothing(reader: Subscriber, now: datetime) -> None:
    forged = "Authentication-Results: mx.blocknews.example; dmarc=fail header.from=readers.example"
    assert ingestion.take(raw=asked(forged, ANNA, "Subject: unsubscribe"), now=now) is Arrival.IGNORED


@given(st.binary(max_size=400))
def test_no_mail_breaks_the_reading_of_wishes(raw: bytes) -> None:
    unsubscribe_mail.read(b"Subject: unsubscribe\r\n" + raw, envelope_to=raw.decode("latin-1"))
