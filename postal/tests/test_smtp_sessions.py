"""An SMTP session begins encrypted and authenticated as EMAIL_URL asks, or no copy leaves."""

import contextlib
import json
import queue
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from hypothesis import given
from hypothesis import strategies as st

from mailkit import segments
from postal import config
from postal.leases import Lease
from postal.tests import driving
from postal.transports import session, wire
from postal.transports.base import Copy, Outcome
from postal.transports.smtp import SmtpTransport
from tests.faults import certificates, smtp_server

PAYLOAD = b"Subject: x\r\n\r\nText\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates.for_localhost(tmp_path_factory.mktemp("tls"))


def transport(port: int, *, host: str = "localhost", tls: config.Tls = "none", password: str = "") -> SmtpTransport:
    smtp = config.MailServer(host, port, username="user" if password else "", password=password, tls=tls)
    return SmtpTransport(smtp=smtp, sending=sending(config.Timeouts(2, 2, 2), messages=100), lease=Lease())


def sending(timeouts: config.Timeouts, *, connections: int = 2, messages: int = 9) -> config.Sending:
    return replace(settings.SENDING, timeouts=timeouts, connections=connections, messages_per_connection=messages)


def copies(count: int, payload: bytes = PAYLOAD) -> list[Copy]:
    return [Copy(n, f"uuid-{n}", "b@example.com", f"r{n}@example.com", payload) for n in range(count)]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_copies_leave_encrypted(certificate: Path, tls: config.Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    big = PAYLOAD + b"y" * 70 + b"\r\n" + b"x" * 70 * 2000 + b"\r\n"
    with smtp_server.running(certificate=certificate, implicit_tls=tls == "implicit") as server:
        sender = transport(server.port, tls=tls)
        outcomes = list(driving.outcomes_of(sender, copies(20, big)))
        sender.close()
    assert Counter(one.state for one in outcomes) == {"accepted": 20}
    assert set(server.messages) == {big}


def test_what_a_server_said_of_itself_in_clear_is_forgotten(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3207 4.2."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    rules = [{"at": "EHLO", "do": "reply", "reply": "250-sink\r\n250 8BITMIME", "skip": 1}]
    with smtp_server.running({"rules": rules}, certificate=certificate) as server:
        smtp = config.MailServer("localhost", server.port, tls="starttls")
        opened = session.start(session.Server.read(smtp, config.Timeouts(2, 2, 2)))
        opened.sock.close()
    assert opened.extensions == {"8BITMIME": ""}
    assert [line.split()[0] for line in server.commands[:3]] == ["EHLO", "STARTTLS", "EHLO"]


def test_a_certificate_for_another_host_is_refused(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with smtp_server.running(certificate=certificate) as server:
        sender = transport(server.port, host="127.0.0.1", tls="starttls")
        outcomes = list(driving.outcomes_of(sender, copies(2)))
        sender.close()
    assert {(one.state, one.about_us) for one in outcomes} == {("deferred", True)}
    assert not server.accepted


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("at", ["MAIL", "ACCEPTED"])
def test_an_encrypted_session_that_is_lost_is_classified_by_phase_too(
    certificate: Path, tls: config.Tls, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    script = {"rules": [{"at": at, "do": "rst"}]}
    with smtp_server.running(script, certificate=certificate, implicit_tls=tls == "implicit") as server:
        sender = transport(server.port, tls=tls)
        [outcome] = driving.outcomes_of(sender, copies(1))
        sender.close()
    assert outcome.state == ("deferred" if at == "MAIL" else "uncertain")


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_certificate_that_cannot_be_verified_is_refused(certificate: Path, tls: config.Tls) -> None:
    with smtp_server.running(certificate=certificate, implicit_tls=tls == "implicit") as server:
        sender = transport(server.port, tls=tls)
        outcomes = list(driving.outcomes_of(sender, copies(3)))
        sender.close()
    assert {(one.state, one.about_us) for one in outcomes} == {("deferred", True)}
    assert not server.accepted


def test_encryption_that_was_asked_for_is_never_left_out() -> None:
    with smtp_server.running() as server:
        sender = transport(server.port, tls="starttls")
        outcomes = list(driving.outcomes_of(sender, copies(3)))
        sender.close()
    assert {(one.state, one.about_us) for one in outcomes} == {("deferred", True)}
    assert not any(line.startswith("MAIL") for line in server.commands)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize(("password", "state"), [("pässword", "accepted"), ("wrong", "deferred")])
def test_authentication(mechanism: str, password: str, state: str) -> None:
    with smtp_server.running({"auth": {"user": "pässword"}, "mechanisms": mechanism}) as server:
        sender = transport(server.port, password=password)
        outcomes = list(driving.outcomes_of(sender, copies(3)))
        sender.close()
    assert {one.state for one in outcomes} == {state}
    assert {one.about_us for one in outcomes} == {state == "deferred"}
    assert not any("pässword" in one.reason for one in outcomes)


def test_the_password_is_in_no_representation() -> None:
    server = config.MailServer("h", 1, username="u", password="secret")
    assert "secret" not in repr(server) + repr(session.Server.read(server, config.Timeouts(1, 1, 1)))


def test_a_server_in_its_own_process_keeps_a_journal_that_survives_it(tmp_path: Path) -> None:
    journal = tmp_path / "accepted.jsonl"
    script = json.dumps({"rules": [{"at": "ACCEPTED", "match": "r3@", "do": "rst"}]})
    command = [sys.executable, "-m", "tests.faults.smtp_server", "--journal", str(journal), "--fsync"]
    process = subprocess.Popen([*command, "--script", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = int(process.stdout.readline().rpartition(":")[2])
    sender = transport(port, host="127.0.0.1")
    outcomes = {one.delivery_id: one.state for one in driving.outcomes_of(sender, copies(5))}
    process.kill()
    process.wait()
    process.stdout.close()
    sender.close()
    assert outcomes == {0: "accepted", 1: "accepted", 2: "accepted", 3: "uncertain", 4: "accepted"}
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert Counter(line["recipient"] for line in lines) == {f"r{n}@example.com": 1 for n in range(5)}


@given(st.binary(max_size=200) | st.text("\r\n.x", max_size=40).map(str.encode))
def test_a_body_has_one_end_and_comes_back_as_it_was(payload: bytes) -> None:
    body = segments.stuff(wire.canonical(payload))
    assert body.endswith(b"\r\n")
    assert b"\r\n.\r\n" not in b"\r\n" + body
    assert body.count(b"\r") == body.count(b"\n") == body.count(b"\r\n")
    lines = [line.removeprefix(b".") if line.startswith(b"..") else line for line in body.split(b"\r\n")]
    unified = payload.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    restored = b"\n".join(lines)
    assert restored == (unified if unified.endswith(b"\n") else unified + b"\n")


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60))
def test_replies_are_read_whatever_the_packets(sizes: list[int]) -> None:
    stream = b"250-first\r\n250-second line\r\n250 last\r\n354\r\n421 4.3.2 Bye\n"
    parser = wire.ReplyParser()
    replies, at = [], 0
    for size in [*sizes, len(stream)]:
        replies += parser.feed(stream[at : at + size])
        at += size
    assert [(one.code, one.text) for one in replies] == [
        (250, "first\nsecond line\nlast"),
        (354, ""),
        (421, "4.3.2 Bye"),
    ]
    assert replies[2].enhanced == "4.3.2"
    assert parser.is_empty


@pytest.mark.parametrize("line", [b"hello\r\n", b"25 x\r\n", b"950 x\r\n", b"250x\r\n", b"\r\n"])
def test_what_is_not_smtp_is_refused(line: bytes) -> None:
    with pytest.raises(wire.ProtocolBroken):
        wire.ReplyParser().feed(line)


@pytest.mark.parametrize("endless", [b"250 " + b"x" * 70_000, b"250-x\r\n" * 9_000])
def test_an_answer_without_an_end_is_not_kept(endless: bytes) -> None:
    parser = wire.ReplyParser()
    with contextlib.suppress(wire.ProtocolBroken):
        parser.feed(endless)
    with pytest.raises(wire.ProtocolBroken):
        parser.feed(b"250-x")


@pytest.mark.parametrize("stream", [b"550 Gr\xfc\xdfe\r\n", b"550-Gr\xfc\xdfe\r\n550 \xff\r\n"])
def test_an_answer_in_another_encoding_is_an_answer(stream: bytes) -> None:
    [reply] = wire.ReplyParser().feed(stream)
    assert (reply.code, reply.text[:2]) == (550, "Gr")


def test_an_address_longer_than_the_protocol_allows_is_refused_here() -> None:
    assert wire.is_path(f"{'a' * 64}@{'b' * 181}.example")
    assert not wire.is_path(f"{'a' * 64}@{'b' * 182}.example")


def patiently(server: smtp_server.Server, count: int, *, connections: int) -> dict[int, str]:
    """What became of each copy, by a transport that would itself wait for a minute; we do so for half of one."""
    smtp = config.MailServer("localhost", server.port)
    numbers = sending(config.Timeouts(60, 60, 60), connections=connections)
    sender = SmtpTransport(smtp=smtp, sending=numbers, lease=Lease())
    answered: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
    threading.Thread(
        target=lambda: [*map(answered.put, driving.outcomes_of(sender, copies(count)))], daemon=True
    ).start()
    outcomes = [answered.get(timeout=30) for _ in range(count)]
    sender.close()
    return {one.delivery_id: one.state for one in outcomes}


def test_a_session_that_is_slow_to_begin_holds_up_no_other() -> None:
    rules = [{"at": "CONNECT", "do": "silence", "skip": 1, "times": 1}]
    with smtp_server.running({"rules": rules}) as server:
        # Three sessions one after the other carry them, while the silent one keeps its place.
        outcomes = patiently(server, 30, connections=2)
    assert Counter(outcomes.values()) == {"accepted": 30}
    assert server.connections == 5


def test_what_stood_behind_a_copy_whose_session_ended_goes_to_one_with_nothing_to_do() -> None:
    """No further session is allowed, and nobody else would give the idle one its work."""
    rules = [
        {"at": "CONNECT", "do": "reply", "reply": "421 4.7.0 Too many sessions", "skip": 2},
        {"at": "DOT", "match": "^r0@", "do": "delay", "seconds": 0.5},
        {"at": "ACCEPTED", "match": "^r0@", "do": "close"},
    ]
    with smtp_server.running({"rules": rules}) as server:
        outcomes = patiently(server, 8, connections=3)
    assert outcomes == {0: "uncertain"} | dict.fromkeys(range(1, 8), "accepted")


def test_one_session_that_is_refused_does_not_speak_for_those_that_are_still_being_opened() -> None:
    rules = [
        {"at": "CONNECT", "do": "reply", "reply": "421 4.3.2 Busy", "times": 1},
        {"at": "CONNECT", "do": "delay", "seconds": 0.2},
    ]
    with smtp_server.running({"rules": rules}) as server:
        outcomes = patiently(server, 12, connections=3)
    assert Counter(outcomes.values()) == {"accepted": 12}


@pytest.mark.parametrize("refused_first", [True, False])
def test_a_server_that_wants_no_further_session_goes_on_with_those_that_it_has(refused_first: bool) -> None:
    rules: list[dict[str, Any]] = [
        {"at": "CONNECT", "do": "delay", "seconds": 0.1, "times": int(refused_first)},
        {"at": "CONNECT", "do": "reply", "reply": "421 4.7.0 Enough", "skip": int(not refused_first), "times": 3},
    ]
    with smtp_server.running({"rules": rules}) as server:
        # Nine to a session, so others follow the first.
        outcomes = patiently(server, 30, connections=4)
    assert Counter(outcomes.values()) == {"accepted": 30}


def test_a_server_that_wants_no_further_session_is_not_asked_again_and_again() -> None:
    rules = [
        {"at": "CONNECT", "do": "reply", "reply": "421 4.7.0 Enough", "skip": 1},
        {"at": "DOT", "do": "delay", "seconds": 0.02},
    ]
    with smtp_server.running({"rules": rules}) as server:
        outcomes = patiently(server, 9, connections=4)
    assert Counter(outcomes.values()) == {"accepted": 9}
    assert server.connections <= 1 + 2 * 3


def test_while_a_server_is_away_no_session_is_opened_that_nobody_waits_for() -> None:
    rules = [
        {"at": "CONNECT", "do": "reply", "reply": "421 4.3.2 Closing", "times": 1},
        {"at": "CONNECT", "do": "silence"},
    ]
    with smtp_server.running({"rules": rules}) as server:
        smtp = config.MailServer("localhost", server.port)
        sender = SmtpTransport(smtp=smtp, sending=sending(config.Timeouts(2, 0.3, 2)), lease=Lease())
        outcomes = list(driving.outcomes_of(sender, copies(4)))
        sender.close()
    assert Counter(one.state for one in outcomes) == {"deferred": 4}
    assert server.connections == 3


def test_one_copy_needs_one_session() -> None:
    with smtp_server.running({"rules": [{"at": "CONNECT", "do": "delay", "seconds": 0.1}]}) as server:
        assert patiently(server, 1, connections=4) == {0: "accepted"}
    assert server.connections == 1
