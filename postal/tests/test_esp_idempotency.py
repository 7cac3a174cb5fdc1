"""F11 with a provider that takes a request once however often it comes: nobody stays in doubt, nobody gets two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from mailkit import segments
from postal.leases import Lease
from postal.tests import driving
from postal.transports import esp_connection
from postal.transports.base import Copy, Outcome
from postal.transports.esp import EspTransport
from tests.faults import mailgun_server

LETTER = segments.compile(
    headers=[("From", "news@example.com"), ("To", "%%to%%"), ("Subject", "Today"), ("Date", "%%date%%")],
    text="%%url%%\n",
    html="<p>%%url%%</p>\n",
)


@pytest.fixture
def server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[mailgun_server.Server]:
    monkeypatch.setattr(esp_connection, "REPEAT_AFTER_SECONDS", (0.0, 0.0))
    with mailgun_server.running() as server:
        settings.ANYMAIL = {
            "RESEND_API_KEY": "secret",
            "RESEND_API_URL": server.url.removesuffix("/v3"),
            "REQUESTS_TIMEOUT": (2, 0.3),
        }
        yield server


def copy(n: int, *, url: str = "https://example.com/1") -> Copy:
    address = f"r{n}@example.com"
    merge = {"to": address, "date": "Tue, 06 May 2025 10:00:00 +0000", "url": url}
    return Copy(n, f"uuid-{n}", "", address, message=LETTER, merge=merge)


def hand_over(*copies: Copy) -> dict[int, Outcome]:
    transport = EspTransport(backend="anymail.backends.resend.EmailBackend", provider="resend", lease=Lease())
    outcomes = {one.delivery_id: one for one in driving.outcomes_of(transport, copies)}
    transport.close()
    return outcomes


def answering(server: mailgun_server.Server, **rule: Any) -> None:
    server.rules = [mailgun_server.Rule(**rule)]


@pytest.mark.parametrize("do", ["status_after", "rst_after", "silence_after", "garbage", "status"])
def test_a_request_whose_end_is_not_known_is_repeated(server: mailgun_server.Server, do: str) -> None:
    answering(server, do=do, status=502, times=1)
    outcomes = hand_over(copy(0))
    assert outcomes[0].state == "accepted"
    assert outcomes[0].remote_id == server.keys["uuid-0"][1].strip("<>")
    assert server.copies() == {"r0@example.com": 1}
    assert len(server.requests) == 2


def test_each_copy_has_its_own_key(server: mailgun_server.Server) -> None:
    outcomes = hand_over(*map(copy, range(9)))
    assert {one.state for one in outcomes.values()} == {"accepted"}
    assert server.keys.keys() == {f"uuid-{n}" for n in range(9)}
    assert server.connections <= 4, "connections are kept"


def test_a_provider_that_never_answers_leaves_it_uncertain(server: mailgun_server.Server) -> None:
    answering(server, do="status", status=503)
    assert hand_over(copy(0))[0].state == "uncertain"
    assert len(server.requests) == 1 + len(esp_connection.REPEAT_AFTER_SECONDS)


def test_what_a_repeat_is_refused_with_does_not_say_that_the_first_was_not_taken(
    server: mailgun_server.Server,
) -> None:
    server.rules = [mailgun_server.Rule("status", status=502, times=1), mailgun_server.Rule("status", status=429)]
    assert hand_over(copy(0))[0].state == "uncertain"


def test_put_off_it_comes_again_with_the_same_key(server: mailgun_server.Server) -> None:
    answering(server, do="status", status=429, times=1)
    assert hand_over(copy(0))[0].state == "deferred"
    assert hand_over(copy(0, url="https://example.com/written-later"))[0].state == "accepted"
    assert server.copies() == {"r0@example.com": 1}


def test_sent_again_by_a_person_although_it_was_taken_it_is_not_taken_twice(server: mailgun_server.Server) -> None:
    """The links of a second copy have another date, so the provider calls it another request (409)."""
    assert hand_over(copy(0))[0].state == "accepted"
    again = hand_over(copy(0, url="https://example.com/written-later"))[0]
    assert (again.state, again.code, again.about_us) == ("uncertain", "409", False)
    assert server.copies() == {"r0@example.com": 1}


def test_no_repeat_outlasts_the_lease(server: mailgun_server.Server, settings: Any) -> None:
    settings.SENDING = replace(settings.SENDING, lease_seconds=0)
    answering(server, do="status_after", status=502)
    states: Mapping[int, Outcome] = hand_over(copy(0))
    assert states[0].state == "uncertain"
    assert len(server.requests) == 1
