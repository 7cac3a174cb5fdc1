"""What is noted of a request to a provider, and that it goes once, to the one that is configured."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from anymail.message import AnymailRecipientStatus

from mailkit import segments
from postal.leases import Lease
from postal.tests import driving
from postal.tests.test_esp_outcomes import LETTER, Mailgun, copy, mailgun, states
from postal.transports import esp, esp_connection, esp_message, http_phase
from postal.transports.base import Phase
from tests.faults import mailgun_server

__all__ = ["mailgun"]


class Wire:
    """A socket that keeps what is written to it."""

    def __init__(self) -> None:
        self.sent = list[bytes]()

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_bytes_that_leave_are_noted_before_they_do(scheme: str) -> None:
    """First the head, then the body, which the provider may act on."""
    watch, session = http_phase.Watch(), requests.Session()
    url = f"{scheme}://api.example/v3/"
    watch.watch(session, url=url)
    manager = session.get_adapter(url).poolmanager  # type: ignore[attr-defined]  # requests' adapters have one
    line: Any = manager.connection_from_url(url).ConnectionCls("api.example")
    line.sock, phases = Wire(), [watch.phase]
    for piece in (b"POST / HTTP/1.1", b"{}", b"more"):
        line.send(piece)
        phases.append(watch.phase)

    assert phases == [Phase.CONNECT, Phase.BODY, Phase.FINAL, Phase.FINAL]
    assert b"".join(line.sock.sent) == b"POST / HTTP/1.1{}more"
    watch.reset()
    assert watch.phase is Phase.CONNECT


def test_nothing_is_repeated_beneath_us() -> None:
    """A request may be taken though its answer is lost; who repeats it has to know that."""
    session = requests.Session()
    http_phase.Watch().watch(session, url="https://api.example/")
    for url in ("https://api.example/", "http://api.example/"):
        assert session.get_adapter(url).max_retries.total == 0  # type: ignore[attr-defined]  # as above


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(mailgun: Mailgun, status: int) -> None:
    """Wherever it leads, our key and our readers' addresses are not for them."""
    elsewhere = {"do": "status", "status": status, "headers": {"Location": "/v3/other.example/messages"}, "times": 1}
    outcomes, server = mailgun.hand_over(elsewhere)
    assert states(outcomes) == {"uncertain": 4}
    assert (len(server.requests), server.accepted) == (1, [])


def test_a_call_that_never_left_is_put_off_though_the_one_before_was_taken(
    mailgun: Mailgun, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(esp_connection, "IDLE_SECONDS", -1.0)
    with mailgun_server.running() as server:
        settings.ANYMAIL = {
            "MAILGUN_API_KEY": "secret",
            "MAILGUN_API_URL": server.url,
            "MAILGUN_SENDER_DOMAIN": "example.com",
        }
        transport = esp.EspTransport(backend="anymail.backends.mailgun.EmailBackend", provider="mailgun", lease=Lease())
        assert [one.state for one in driving.outcomes_of(transport, [copy(1)])] == ["accepted"]
    [outcome] = driving.outcomes_of(transport, [copy(2)])
    transport.close()
    assert (outcome.state, outcome.phase) == ("deferred", Phase.CONNECT)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("sent", "accepted"),
        ("queued", "accepted"),
        ("invalid", "rejected"),
        ("rejected", "rejected"),
        ("failed", "deferred"),
        ("unknown", "uncertain"),
        ("a word of next year", "uncertain"),
        (None, "uncertain"),
    ],
)
def test_a_word_that_nobody_knows_promises_nothing(word: str | None, state: str) -> None:
    status = AnymailRecipientStatus("<remote>", "queued")
    status.status = word
    outcome = esp._outcome(copy(1), status)
    assert outcome.state == state
    assert "None" not in outcome.reason


@pytest.mark.parametrize(
    ("status", "keyed", "state", "about_us"),
    [
        (409, True, "uncertain", False),
        (409, False, "deferred", True),
        (408, False, "deferred", False),
        (429, False, "deferred", False),
        (401, False, "deferred", True),
        (200, False, "uncertain", False),
        (503, False, "uncertain", False),
    ],
)
def test_what_a_status_says_of_the_copy_and_of_us(status: int, keyed: bool, state: str, about_us: bool) -> None:
    """A conflict is about the copy only where a key came along; a request that took too long was not taken."""
    response = requests.Response()
    response.status_code = status
    failure = esp_connection._answered(response, keyed=keyed)
    assert (failure.state, failure.about_us) == (state, about_us)


@contextmanager
def open_provider(settings: Any) -> Iterator[mailgun_server.Server]:
    """A provider that takes everything, and that the settings name."""
    with mailgun_server.running() as server:
        settings.ANYMAIL = {"MAILGUN_API_KEY": "secret", "MAILGUN_API_URL": server.url}
        settings.ANYMAIL |= {"MAILGUN_SENDER_DOMAIN": "example.com"}
        yield server


def test_a_copy_without_its_letter_keeps_no_other_from_leaving(mailgun: Mailgun, settings: Any) -> None:
    batch = [copy(1)._replace(message=None), copy(2)]
    with open_provider(settings):
        outcomes = mailgun.outcomes(batch)
    assert {number: (one.state, one.about_us) for number, one in outcomes.items()} == {
        1: ("deferred", True),
        2: ("accepted", False),
    }


def test_what_is_no_address_is_not_sent_and_keeps_no_other_from_leaving(mailgun: Mailgun, settings: Any) -> None:
    batch = [copy(1)._replace(recipient="not an address"), copy(2), copy(3)]
    with open_provider(settings) as server:
        outcomes = mailgun.outcomes(batch)
    assert {number: (one.state, one.phase) for number, one in outcomes.items()} == {
        1: ("rejected", Phase.LOCAL),
        2: ("accepted", Phase.FINAL),
        3: ("accepted", Phase.FINAL),
    }
    assert sorted(server.copies()) == ["r2@example.com", "r3@example.com"]


def test_what_a_provider_says_of_a_reader_names_nobody(mailgun: Mailgun) -> None:
    rule = {"do": "status", "status": 403, "body": "r1@example.com may not\n\x07be written to"}
    outcomes, _ = mailgun.hand_over(rule, count=2)
    assert all("r1@" not in one.reason and one.reason.isprintable() for one in outcomes.values())


def test_a_field_in_an_articles_first_words_is_no_field() -> None:
    letter = segments.compile(headers=LETTER.headers, text="%recipient.name% %%name%%\n", html="%recipient.name% <b>")
    built = esp_message.build([copy(1), copy(2)], letter, provider="mailgun")
    assert built.body.startswith("%\u2060recipient.name% ")
    assert built.alternatives[0][0].startswith("&#37;recipient.name% ")


PLAIN = "https://news.example.com/unsubscribe/1/"
BODY_ONLY = segments.compile(
    headers=[(name, "News" if name == "Subject" else source) for name, source in LETTER.headers],
    text="Dear %%name%%\n",
    html="<p>%%name%%</p>\n",
)


def test_a_copy_that_lacks_a_value_of_its_text_keeps_no_other_from_leaving(mailgun: Mailgun, settings: Any) -> None:
    batch = [copy(number, unsubscribe_url=PLAIN, message_id="x")._replace(message=BODY_ONLY) for number in (1, 2)]
    batch[0] = batch[0]._replace(merge={name: value for name, value in batch[0].merge.items() if name != "name"})
    with open_provider(settings):
        outcomes = mailgun.outcomes(batch)
    assert {number: (one.state, one.about_us) for number, one in outcomes.items()} == {
        1: ("deferred", True),
        2: ("accepted", False),
    }


@pytest.mark.parametrize(
    ("name", "is_harmless"), [("Ann", True), ("x" * 300, True), ("x" * 301, False), ("Änn", False), ("a b", False)]
)
def test_only_a_short_and_plain_value_goes_into_a_header_unasked(name: str, is_harmless: bool) -> None:
    batch = [copy(number, unsubscribe_url=PLAIN, name=one) for number, one in enumerate(("Ann", name))]
    assert esp_message.are_harmless(batch, LETTER) is is_harmless


@pytest.mark.parametrize(("status", "is_the_readers"), [(400, True), (422, True), (401, False), (403, False)])
def test_who_is_not_let_in_blames_no_reader(status: int, is_the_readers: bool) -> None:
    """Though the answer speaks of an address: it would be rejected, and everybody after it."""
    response = requests.Response()
    response.status_code = status
    response._content = b"'to' parameter is not a valid address"
    failure = esp_connection._answered(response, keyed=False)
    assert (failure.state == "rejected", failure.about_one_reader) == (is_the_readers, is_the_readers)
