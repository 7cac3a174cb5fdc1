"""What goes to a provider that merges: Anymail's own request, with no more in it per reader than differs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from anymail.backends import mailgun
from django.utils.html import escape
from hypothesis import example, given
from hypothesis import settings as trying
from hypothesis import strategies as st

from mailkit import segments
from postal import providers
from postal.transports import esp_batch, esp_line, esp_message, http_phase
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
ADDRESSES = ["ann+news@example.com", "o'hara@example.com", '"b c"@example.com', "d@xn--bcher-kva.example"]


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


def prepared(backend: type[Any], batch: list[Copy]) -> requests.PreparedRequest:
    made = backend(api_key="secret")
    message = esp_message.build(batch, LETTER, provider="mailgun")
    parameters = made.build_message_payload(message, {}).get_request_params(made.api_url)
    return requests.Request(**parameters).prepare()


def fields(request: requests.PreparedRequest) -> list[tuple[str, Any]]:
    body = request.body.decode() if isinstance(request.body, bytes) else request.body
    found = parse_qsl(body, keep_blank_values=True, strict_parsing=True)
    return [(name, json.loads(value) if name == "recipient-variables" else value) for name, value in found]


@trying(deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=5), min_size=1, max_size=4))
@example(["Ann"])
@example(["", 'Bé\n"b" \\ & <c>'])
@example(["a+b@c", "a+d@c"])
@example(["a\nb", "c"])
def test_the_request_is_anymails(names: list[str]) -> None:
    batch = copies(names, ADDRESSES[: len(names)])
    ours, theirs = prepared(esp_batch.EmailBackend, batch), prepared(mailgun.EmailBackend, batch)
    assert fields(ours) == fields(theirs)
    assert (ours.method, ours.url) == (theirs.method, theirs.url)
    for name in ("Content-Type", "Authorization"):
        assert ours.headers[name] == theirs.headers[name]


def test_the_request_is_anymails_octet_by_octet() -> None:
    """With one field, whose place in the JSON Anymail does not leave to chance."""
    batch = copies(["Ann", "Ann"])
    assert b"recipient-variables=" in (body := prepared(esp_batch.EmailBackend, batch).body)  # type: ignore[operator]  # it is bytes
    assert body.decode() == prepared(mailgun.EmailBackend, batch).body  # type: ignore[union-attr]  # it is bytes


def test_what_all_readers_share_goes_once() -> None:
    batch = copies(["Ann"] * 20)
    sent = dict(fields(prepared(esp_batch.EmailBackend, batch)))
    assert sent["recipient-variables"]["r7@example.com"] == {"v:delivery": "uuid-7", "url": "07"}
    assert sent["h:List-Unsubscribe"] == (
        "<https://n.example/leave/eyJz0%recipient.url%.x/?a=1&b=2>, "
        "<mailto:leave@example.com?subject=leave-eyJz0%recipient.url%.x>"
    )


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
    transport = EspTransport(backend="anymail.backends.mailgun.EmailBackend", provider="mailgun")
    for batch in batches:
        assert {one.state for one in transport.hand_over(batch)} == {"accepted"}
    transport.close()


def test_proxies_and_certificates_of_the_environment_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/house.pem")
    for host, proxy in [("api.example", "http://proxy.example:3128"), ("inside.example", None)]:
        session = requests.Session()
        http_phase.Watch().watch(session, url=f"https://{host}/v3/")
        assert session.proxies.get("https") == proxy
        assert session.verify == "/etc/house.pem"
        assert not session.trust_env, "read once"


@pytest.mark.parametrize(("idle", "connections"), [(60.0, 1), (-1.0, 3)])
def test_a_connection_is_kept_between_batches_for_a_moment_only(
    settings: Any, monkeypatch: pytest.MonkeyPatch, idle: float, connections: int
) -> None:
    monkeypatch.setattr(esp_line, "IDLE_SECONDS", idle)
    with mailgun_server.running() as server:
        hand_over(settings, server, batches=[copies(["Ann"]), copies(["Ann"]), copies(["Ann"])])
    assert len(server.requests) == 3
    assert server.connections == connections
