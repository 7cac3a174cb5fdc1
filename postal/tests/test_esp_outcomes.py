"""Through a provider each copy's outcome follows from the provider's answer and from the HTTP phase."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from anymail.message import AnymailMessage, AnymailRecipientStatus
from django.core import mail
from django.core.mail import EmailMessage

from mailkit import segments
from postal import slowdown
from postal.leases import Lease
from postal.tests import driving
from postal.transports.base import Copy, Outcome, Phase
from postal.transports.esp import EspTransport
from postal.transports.esp_connection import Connection
from tests.faults import mailgun_server

LETTER = segments.compile(
    headers=[
        ("From", "News <news@example.com>"),
        ("To", "%%to%%"),
        ("Reply-To", "desk@example.com"),
        ("Subject", "%%name%%, 100%recipient.x% für Dich"),
        ("Message-ID", "%%message_id%%"),
        ("Date", "%%date%%"),
        ("List-Unsubscribe", "<%%unsubscribe_url%%>, <mailto:leave@example.com>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ],
    text="Dear %%name%%, %recipient.name% %%unsubscribe_url%%\n",
    html='<p>Dear %%name%%, %recipient.name% <a href="%%unsubscribe_url%%">Leave</a></p>\n',
)


def copy(n: int, **values: str) -> Copy:
    address = f"r{n}@example.com"
    merge = {
        "to": address,
        "name": f"<Ann {n}>",
        "message_id": f"<{n}@example.com>",
        "date": "Tue, 06 May 2025 10:00:00 +0000",
        "unsubscribe_url": f"https://news.example.com/unsubscribe/{n}/?a=1&b=2",
    } | values
    return Copy(n, f"uuid-{n}", "bounces@example.com", address, message=LETTER, merge=merge)


@pytest.fixture
def mailgun(settings: Any) -> "Mailgun":
    return Mailgun(settings)


class Mailgun:
    """Hands copies over to a local server that speaks Mailgun's interface."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    def hand_over(
        self, *rules: Mapping[str, Any], count: int = 4, key: str = "secret", timeout: float = 5, **values: str
    ) -> tuple[dict[int, Outcome], mailgun_server.Server]:
        with mailgun_server.running({"rules": rules}) as server:
            self.settings.ANYMAIL = {
                "MAILGUN_API_KEY": key,
                "MAILGUN_API_URL": server.url,
                "MAILGUN_SENDER_DOMAIN": "example.com",
                "REQUESTS_TIMEOUT": (2, timeout),
            }
            batch = [copy(n, **values) for n in range(count)]
            return self.outcomes(batch), server

    def outcomes(self, batch: list[Copy], *, provider: str = "mailgun") -> dict[int, Outcome]:
        transport = EspTransport(backend="anymail.backends.mailgun.EmailBackend", provider=provider, lease=Lease())
        outcomes = list(driving.outcomes_of(transport, batch))
        transport.close()
        assert Counter(one.delivery_id for one in outcomes) == Counter(one.delivery_id for one in batch)
        return {one.delivery_id: one for one in outcomes}


def states(outcomes: Mapping[int, Outcome]) -> Counter[str]:
    return Counter(one.state for one in outcomes.values())


def test_a_batch_is_one_request_and_each_reader_gets_their_own_copy(mailgun: Mailgun) -> None:
    outcomes, server = mailgun.hand_over(count=50)
    assert states(outcomes) == {"accepted": 50}
    assert len(server.requests) == 1
    one = next(one for one in server.accepted if one.recipient == "r7@example.com")
    url = "https://news.example.com/unsubscribe/7/?a=1&b=2"
    assert one.text == f"Dear <Ann 7>, %\u2060recipient.name% {url}\n"
    assert one.html == (
        "<p>Dear &lt;Ann 7&gt;, &#37;recipient.name% "
        '<a href="https://news.example.com/unsubscribe/7/?a=1&amp;b=2">Leave</a></p>\n'
    )
    assert one.subject == "<Ann 7>, 100%\u2060recipient.x% für Dich"
    assert one.headers["List-Unsubscribe"] == f"<{url}>, <mailto:leave@example.com>"
    assert one.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert one.headers["Reply-To"] == "desk@example.com"
    assert one.variables == {"delivery": "uuid-7"}
    assert server.requests[0]["o:tracking-opens"] == ["no"]
    assert server.requests[0]["o:tracking-clicks"] == ["no"]
    assert all(one.remote_id for one in outcomes.values())


def test_one_bad_address_does_not_stop_the_others(mailgun: Mailgun) -> None:
    """F12: Mailgun refuses the whole request for one address that it does not like."""
    outcomes, server = mailgun.hand_over({"do": "invalid", "match": "r5@"}, count=16)
    assert outcomes[5].state == "rejected"
    assert not outcomes[5].about_us
    assert states(outcomes) == {"accepted": 15, "rejected": 1}
    assert max(server.copies().values()) == 1
    assert server.copies()["r5@example.com"] == 0


def test_the_provider_asks_to_slow_down(mailgun: Mailgun) -> None:
    """F10."""
    outcomes, server = mailgun.hand_over({"do": "status", "status": 429, "headers": {"Retry-After": "7"}})
    assert states(outcomes) == {"deferred": 4}
    assert {one.retry_after for one in outcomes.values()} == {7}
    assert not any(one.about_us for one in outcomes.values())
    assert not server.accepted


@pytest.mark.parametrize(
    ("value", "seconds"), [("0", 1), ("90", 90), ("99999999", 60), ("soon", 60), ("-5", 60), ("", 60)]
)
def test_any_value_of_retry_after_becomes_a_sensible_time(mailgun: Mailgun, value: str, seconds: int) -> None:
    outcomes, _ = mailgun.hand_over({"do": "status", "status": 429, "headers": {"Retry-After": value}}, count=1)
    assert outcomes[0].retry_after == seconds


def test_a_refused_sender_marks_no_reader_though_the_answer_names_both(mailgun: Mailgun) -> None:
    body = "{\"message\": \"'from' parameter is not a valid address, 'to' parameter was not looked at\"}"
    outcomes, server = mailgun.hand_over({"do": "status", "status": 400, "body": body})
    assert states(outcomes) == {"deferred": 4}
    assert all(one.about_us for one in outcomes.values())
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413])
def test_a_refusal_of_the_request_is_about_us_and_marks_nobody(mailgun: Mailgun, status: int) -> None:
    outcomes, server = mailgun.hand_over({"do": "status", "status": status})
    assert states(outcomes) == {"deferred": 4}
    assert all(one.about_us and one.code == str(status) for one in outcomes.values())
    assert len(server.requests) == 1


def test_a_wrong_key_is_about_us(mailgun: Mailgun) -> None:
    outcomes, server = mailgun.hand_over(key="wrong")
    assert states(outcomes) == {"deferred": 4}
    assert all(one.about_us and one.code == "401" for one in outcomes.values())
    assert not server.accepted


@pytest.mark.parametrize("do", ["status_after", "rst_after", "silence_after", "garbage"])
def test_what_the_provider_may_have_taken_is_uncertain(mailgun: Mailgun, do: str) -> None:
    """F11: every reader has a copy, and we cannot know."""
    outcomes, server = mailgun.hand_over({"do": do, "status": 502}, timeout=1.0)
    assert states(outcomes) == {"uncertain": 4}
    assert not any(one.about_us for one in outcomes.values())
    assert len(server.requests) == 1
    assert set(server.copies().values()) == {1}


@pytest.mark.parametrize("do", ["silence", "status"])
def test_a_provider_that_stumbles_is_not_asked_again(mailgun: Mailgun, do: str) -> None:
    outcomes, server = mailgun.hand_over({"do": do, "status": 500}, timeout=1.0)
    assert states(outcomes) == {"uncertain": 4}
    assert len(server.requests) == 1


@pytest.mark.parametrize("connections", [1, 3])
def test_after_a_stumble_the_other_readers_wait(mailgun: Mailgun, connections: int) -> None:
    """One request per reader, as with a provider that does not merge: only those on the wire are in doubt."""
    mailgun.settings.SENDING = replace(mailgun.settings.SENDING, connections=connections)
    with mailgun_server.running({"rules": [{"do": "status", "status": 503, "skip": 1}]}) as server:
        mailgun.settings.ANYMAIL = {"MAILGUN_API_KEY": "secret", "MAILGUN_API_URL": server.url}
        by_state = states(mailgun.outcomes([copy(n) for n in range(12)], provider="without merging"))
    assert by_state["accepted"] == 1
    assert 1 <= by_state["uncertain"] <= connections
    assert by_state["deferred"] == 11 - by_state["uncertain"]
    assert len(server.requests) == 1 + by_state["uncertain"]


def test_a_provider_too_slow_for_the_lease_gets_the_rest_with_the_next_batch(mailgun: Mailgun) -> None:
    mailgun.settings.SENDING = replace(mailgun.settings.SENDING, lease_seconds=0, connections=1)
    with mailgun_server.running() as server:
        mailgun.settings.ANYMAIL = {"MAILGUN_API_KEY": "secret", "MAILGUN_API_URL": server.url}
        outcomes = mailgun.outcomes([copy(n) for n in range(3)], provider="without merging")
    assert [outcomes[n].state for n in range(3)] == ["accepted", "deferred", "deferred"]
    assert outcomes[1].retry_after == 1
    assert not outcomes[1].about_us
    assert not slowdown.is_too_fast(outcomes[1])


def test_a_provider_that_cannot_be_reached_has_nothing(mailgun: Mailgun) -> None:
    """F7."""
    _, server = mailgun.hand_over(count=1)
    assert server.url in str(mailgun.settings.ANYMAIL)
    outcomes = mailgun.outcomes([copy(n) for n in range(4)])
    assert states(outcomes) == {"deferred": 4}
    assert all(one.phase is Phase.CONNECT and one.unreachable for one in outcomes.values())


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("sent", "accepted"),
        ("queued", "accepted"),
        ("rejected", "rejected"),
        ("invalid", "rejected"),
        ("failed", "deferred"),
        ("unknown", "uncertain"),
        (None, "uncertain"),
    ],
)
def test_the_answer_for_each_recipient_decides(monkeypatch: pytest.MonkeyPatch, word: str | None, state: str) -> None:
    """F12, for the providers that answer per recipient."""

    def refuse(_connection: Connection, _group: list[Copy], *_more: Any, **_options: Any) -> tuple[EmailMessage, None]:
        message = AnymailMessage()
        statuses = {"R0@example.com": AnymailRecipientStatus("m0", "sent")}
        statuses["r1@example.com"] = AnymailRecipientStatus("m1", word)
        message.anymail_status.set_recipient_status(statuses)
        return message, None

    monkeypatch.setattr(Connection, "send", refuse)
    transport = EspTransport(backend="anymail.backends.test.EmailBackend", provider="mailgun", lease=Lease())
    outcomes = {one.delivery_id: one for one in driving.outcomes_of(transport, [copy(0), copy(1), copy(2)])}
    assert outcomes[0].state == "accepted"
    assert outcomes[0].remote_id == "m0"
    assert outcomes[1].state == state
    assert outcomes[2].state == "uncertain"


def test_a_provider_without_merging_gets_one_message_per_reader() -> None:
    transport = EspTransport(backend="anymail.backends.test.EmailBackend", provider="test", lease=Lease())
    outcomes = {one.delivery_id: one for one in driving.outcomes_of(transport, [copy(0), copy(1)])}
    transport.close()
    assert states(outcomes) == {"accepted": 2}
    sent: list[Any] = sorted(mail.outbox, key=lambda message: message.to)
    assert [message.to for message in sent] == [["r0@example.com"], ["r1@example.com"]]
    assert "unsubscribe/1/?a=1&b=2" in sent[1].body
    assert "unsubscribe/1/?a=1&amp;b=2" in sent[1].alternatives[0][0]
    assert "unsubscribe/1/?a=1&b=2" in sent[1].extra_headers["List-Unsubscribe"]
    assert sent[1].metadata == {"delivery": "uuid-1"}


def test_a_value_that_breaks_a_header_stops_only_its_own_copy(mailgun: Mailgun) -> None:
    batch = [copy(0), copy(1, name="Ann\r\nBcc: all@example.com"), copy(2)]
    with mailgun_server.running() as server:
        mailgun.settings.ANYMAIL = {"MAILGUN_API_KEY": "secret", "MAILGUN_API_URL": server.url}
        outcomes = mailgun.outcomes(batch)
    assert states(outcomes) == {"accepted": 2, "rejected": 1}
    assert outcomes[1].phase is Phase.LOCAL


def test_a_letter_that_the_provider_has_no_way_to_send_is_about_us(settings: Any) -> None:
    """Brevo knows one Reply-To only. No server is asked, and the reason is not that there was none."""
    settings.ANYMAIL = {"BREVO_API_KEY": "secret", "BREVO_API_URL": "http://127.0.0.1:9/"}
    headers = [(name, f"{value}, other@example.com" if name == "Reply-To" else value) for name, value in LETTER.headers]
    letter = segments.compile(headers=headers, text="Read.\n", html="<p>Read.</p>\n")
    transport = EspTransport(backend="anymail.backends.brevo.EmailBackend", provider="brevo", lease=Lease())
    (outcome,) = driving.outcomes_of(
        transport, [Copy(1, "uuid-1", "", "r1@example.com", message=letter, merge=copy(1).merge)]
    )
    transport.close()
    assert (outcome.state, outcome.phase, outcome.about_us) == ("deferred", Phase.LOCAL, True)
    assert "AnymailUnsupportedFeature" in outcome.reason


@pytest.mark.parametrize("address", ["r0@example.com", "R0@example.com"])
def test_two_copies_for_one_address_are_two_requests(mailgun: Mailgun, address: str) -> None:
    """Merge values are kept by address: in one request, one reader's links would reach the other."""
    twin = Copy(9, "uuid-9", "", address, message=LETTER, merge=copy(9).merge)
    with mailgun_server.running() as server:
        mailgun.settings.ANYMAIL = {"MAILGUN_API_KEY": "secret", "MAILGUN_API_URL": server.url}
        outcomes = mailgun.outcomes([copy(0), twin])
    assert states(outcomes) == {"accepted": 2}
    assert sorted(one.variables["delivery"] for one in server.accepted) == ["uuid-0", "uuid-9"]
    assert [len(form["to"]) for form in server.requests] == [1, 1]


def test_copies_of_two_letters_are_two_requests(mailgun: Mailgun) -> None:
    """Else the readers of one issue would get the other."""
    other = segments.compile(
        headers=[(name, "Another" if name == "Subject" else value) for name, value in LETTER.headers],
        text="Read.\n",
        html="<p>Read.</p>\n",
    )
    with mailgun_server.running() as server:
        mailgun.settings.ANYMAIL = {"MAILGUN_API_KEY": "secret", "MAILGUN_API_URL": server.url}
        outcomes = mailgun.outcomes([copy(0), copy(1)._replace(message=other), copy(2)])
    assert states(outcomes) == {"accepted": 3}
    subjects = {one.recipient: one.subject for one in server.accepted}
    assert subjects["r1@example.com"] == "Another"
    assert "<Ann 2>" in subjects["r2@example.com"]


def test_once_it_is_closed_nothing_further_begins_and_what_is_on_the_wire_ends(mailgun: Mailgun) -> None:
    mailgun.settings.SENDING = replace(mailgun.settings.SENDING, connections=2)
    with mailgun_server.running() as server:
        mailgun.settings.ANYMAIL = {"MAILGUN_API_KEY": "secret", "MAILGUN_API_URL": server.url}
        transport = EspTransport(
            backend="anymail.backends.mailgun.EmailBackend", provider="without merging", lease=Lease()
        )
        transport.submit([copy(n) for n in range(60)])
        assert transport.results(5.0)
        transport.close()
        begun = len(server.requests)
        assert len(server.accepted) == begun < 60
        time.sleep(0.1)
    assert len(server.requests) == begun


def test_a_provider_that_is_slow_keeps_no_lane_waiting_and_gets_no_further_copies(mailgun: Mailgun) -> None:
    """The lane keeps its leases meanwhile."""
    with mailgun_server.running({"rules": [{"do": "silence"}]}) as server:
        mailgun.settings.ANYMAIL = {
            "MAILGUN_API_KEY": "secret",
            "MAILGUN_API_URL": server.url,
            "REQUESTS_TIMEOUT": (2, 0.4),
        }
        transport = EspTransport(backend="anymail.backends.mailgun.EmailBackend", provider="mailgun", lease=Lease())
        assert transport.ready() == mailgun.settings.SENDING.copies_in_flight
        transport.submit([copy(n) for n in range(3)])
        began = time.monotonic()
        assert transport.results(0.05) == []
        assert time.monotonic() - began < 0.3
        assert transport.ready() == 0
        assert len(transport.results(5.0)) == 3
        assert transport.ready()
        transport.close()


def test_once_its_lease_is_over_nothing_is_asked_of_the_provider(mailgun: Mailgun) -> None:
    lease = Lease()
    lease.until = 0.0
    with mailgun_server.running() as server:
        mailgun.settings.ANYMAIL = {"MAILGUN_API_KEY": "secret", "MAILGUN_API_URL": server.url}
        transport = EspTransport(backend="anymail.backends.mailgun.EmailBackend", provider="mailgun", lease=lease)
        outcomes = list(driving.outcomes_of(transport, [copy(n) for n in range(3)]))
        transport.close()
    assert [(one.state, one.phase) for one in outcomes] == [("deferred", Phase.LOCAL)] * 3
    assert not server.requests


def test_a_fault_of_the_program_is_heard_of_from_every_thread(
    mailgun: Mailgun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outcome that is missing in silence would leave its copy in somebody's hands."""

    def stumble(*_: Any, **_options: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Connection, "send", stumble)
    transport = EspTransport(backend="anymail.backends.test.EmailBackend", provider="without merging", lease=Lease())
    with pytest.raises(ZeroDivisionError):
        list(driving.outcomes_of(transport, [copy(n) for n in range(8)]))
    transport.close()
