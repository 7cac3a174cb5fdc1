"""What goes to a provider that merges: one letter with fields, and the values of each reader."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
import requests
from django.utils.html import escape
from hypothesis import example, given
from hypothesis import settings as trying
from hypothesis import strategies as st

from mailkit import segments
from postal import providers
from postal.leases import Lease
from postal.tests import driving
from postal.transports import esp_connection, esp_message, http_phase
from postal.transports.base import Copy
from postal.transports.esp import EspTransport
from tests.faults import mailgun_server

LETTER = segments.compile(
    headers=[
        ("From", "Nëws <news@example.com>"),
        ("To", "%%to%%"),
        ("Reply-To", "desk@example.com"),
        ("Subject", "Über %%name%%"),
        ("Date", "%%date%%"),
        ("List-Unsubscribe", "<%%url%%>, <mailto:leave@example.com?subject=leave-%%token%%>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ],
    text="Dear %%name%%, 100 % & more: %%url%%\n",
    html='<p>Dear %%name%%, <a href="%%url%%">Leave</a> %%token%% %%name%%</p>\n',
)


def copies(names: list[str], addresses: list[str] | None = None) -> list[Copy]:
    given = addresses or [f"r{n}@example.com" for n in range(len(names))]
    return [
        Copy(n, f"uuid-{n}", "", address, message=LETTER, merge=values(n, name))
        for n, (address, name) in enumerate(zip(given, names, strict=True))
    ]


def values(n: int, name: str) -> Mapping[str, str]:
    token = f"eyJz{n:03}.x"
    return {
        "to": f"r{n}@example.com",
        "date": "x",
        "name": name,
        "token": token,
        "url": f"https://n.example/leave/{token}/?a=1&b=2",
    }


@trying(deadline=None, max_examples=50)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=6), min_size=1, max_size=4))
@example(["<Ann>", "<Anna>"])
@example(["&", "&amp;"])
@example(["%%url%%", "%%url%%"])
@example(["%recip", "%recip"])
def test_merged_by_the_provider_each_copy_is_what_a_single_one_would_be(names: list[str]) -> None:
    batch = copies(names)
    message = esp_message.build(batch, LETTER, provider="mailgun")
    form = {"text": [message.body], "html": [message.alternatives[0][0]], "subject": [message.subject]}
    form |= {f"h:{name}": [value] for name, value in message.extra_headers.items()}
    for copy in batch:
        got = mailgun_server._merged(copy.recipient, form, message.merge_data)
        alone = esp_message.build([copy], LETTER, provider="another")
        assert got.text == alone.body
        assert got.html == alone.alternatives[0][0]
        assert escape(copy.merge["name"]) in got.html
        assert got.subject == alone.subject
        assert got.headers["List-Unsubscribe"] == alone.extra_headers["List-Unsubscribe"]


def test_every_kind_of_address_gets_its_own_values(settings: Any) -> None:
    """Anymail writes the addresses and the values of a request in two places, which the provider has to match."""
    addresses = ["ann+news@example.com", "o'hara@example.com", "d@xn--bcher-kva.example"]
    with mailgun_server.running() as server:
        hand_over(settings, server, batches=[copies(["Ann", "Bo", "Çem"], addresses)])
    assert [one.recipient for one in server.accepted] == addresses
    assert [one.subject for one in server.accepted] == ["Über Ann", "Über Bo", "Über Çem"]
    assert [one.variables["delivery"] for one in server.accepted] == ["uuid-0", "uuid-1", "uuid-2"]


def test_no_request_has_more_readers_than_the_provider_takes(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ten = dataclasses.replace(providers.SENDING["mailgun"], most_per_call=10)
    monkeypatch.setitem(providers.SENDING, "mailgun", ten)
    with mailgun_server.running() as server:
        hand_over(settings, server, batches=[copies(["Ann"] * 25)])
    assert sorted(len(form["to"]) for form in server.requests) == [5, 10, 10]
    assert set(server.copies().values()) == {1}
    assert len(server.copies()) == 25


def hand_over(settings: Any, server: mailgun_server.Server, *, batches: list[list[Copy]]) -> None:
    settings.ANYMAIL = {"MAILGUN_API_KEY": "secret", "MAILGUN_API_URL": server.url}
    transport = EspTransport(backend="anymail.backends.mailgun.EmailBackend", provider="mailgun", lease=Lease())
    for batch in batches:
        assert {one.state for one in driving.outcomes_of(transport, batch)} == {"accepted"}
    transport.close()


def test_proxies_and_certificates_of_the_environment_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ca.pem")
    for host, proxy in [("api.example", "http://proxy.example:3128"), ("inside.example", None)]:
        session = requests.Session()
        http_phase.Watch().watch(session, url=f"https://{host}/v3/")
        assert session.proxies.get("https") == proxy
        assert session.verify == "/etc/ca.pem"
        assert not session.trust_env, "read once"


@pytest.mark.parametrize(("idle", "connections"), [(60.0, 1), (-1.0, 3)])
def test_a_connection_is_kept_between_batches_for_a_moment_only(
    settings: Any, monkeypatch: pytest.MonkeyPatch, idle: float, connections: int
) -> None:
    monkeypatch.setattr(esp_connection, "IDLE_SECONDS", idle)
    with mailgun_server.running() as server:
        hand_over(settings, server, batches=[copies(["Ann"]), copies(["Ann"]), copies(["Ann"])])
    assert len(server.requests) == 3
    assert server.connections == connections
