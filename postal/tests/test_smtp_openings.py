"""Until a session has begun as it should, nothing of a copy leaves; one that cannot begin is recognised and closed."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from postal import config
from postal.tests.test_smtp_outcomes import copies, hand_over, states, transport
from postal.transports import connection_pool, session
from postal.transports.base import Outcome, Phase
from postal.transports.smtp import SmtpTransport
from tests.faults import smtp_server


def where(port: int, **more: Any) -> session.Server:
    return session.Server.read(config.MailServer("127.0.0.1", port, **more), config.Timeouts(2, 2, 2))


class Talk:
    """A server that says each of its lines when it has heard something, the first at once, and then only listens."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self.heard: list[bytes] = []
        self.over = threading.Event()
        self._lines = lines
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        sock, _ = self._listener.accept()
        with sock:
            for line in [*self._lines, b""]:
                sock.sendall(line)
                if not self._hears(sock):
                    break
            else:
                while self._hears(sock):
                    pass
        self.over.set()

    def _hears(self, sock: socket.socket) -> bool:
        try:
            data = sock.recv(4096)
        except ConnectionResetError:
            data = b""
        self.heard += data.splitlines()
        return bool(data)

    def close(self) -> None:
        self._listener.close()


@contextmanager
def saying(*lines: bytes) -> Iterator[Talk]:
    talk = Talk(lines)
    try:
        yield talk
    finally:
        talk.close()


def refused(talk: Talk, **more: Any) -> session.SessionFailed:
    """Why no session with this server came about, and that its connection was not left open."""
    with pytest.raises(session.SessionFailed) as failure:
        session.start(where(talk.port, **more))
    assert talk.over.wait(2), "the connection was left open"
    return failure.value


def put_off(sender: SmtpTransport) -> list[Outcome]:
    """What became of two copies, both of which have to wait."""
    outcomes = hand_over(sender, copies(2))
    sender.close()
    assert states(outcomes) == {"deferred": 2}
    return list(outcomes.values())


@pytest.mark.parametrize(
    ("greeting", "about_us"), [(b"554 5.7.1 Blocked\r\n", True), (b"421 Busy\r\n", False), (b"What?\r\n", False)]
)
def test_a_connection_that_became_no_session_is_closed(greeting: bytes, about_us: bool) -> None:
    with saying(greeting) as talk:
        assert refused(talk).about_us is about_us
    assert not any(line.startswith(b"EHLO") for line in talk.heard)


@pytest.mark.parametrize("slipped_in", [b"250-mail.example\r\n250 AUTH PLAIN", b"25"])
def test_what_comes_before_the_encryption_is_not_believed(slipped_in: bytes) -> None:
    """CVE-2011-0411: part of an answer in clear would become part of the first one that is encrypted."""
    with saying(b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 Go ahead\r\n" + slipped_in) as talk:
        failure = refused(talk, tls="starttls")
    assert failure.about_us
    assert [line.split()[0] for line in talk.heard] == [b"EHLO", b"STARTTLS"]


def test_encryption_that_is_refused_ends_the_session() -> None:
    with saying(b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"454 4.7.0 Not now\r\n") as talk:
        failure = refused(talk, tls="starttls")
    assert (failure.code, failure.about_us) == ("454 4.7.0", False)
    assert [line.split()[0] for line in talk.heard] == [b"EHLO", b"STARTTLS", b"QUIT"]


def test_an_older_server_is_greeted_in_the_older_way() -> None:
    with saying(b"220 x\r\n", b"502 5.5.1 What is EHLO\r\n", b"250 x\r\n") as talk:
        opened = session.start(where(talk.port))
        assert opened.extensions == {}
        opened.sock.close()
    assert [line.split()[0] for line in talk.heard] == [b"EHLO", b"HELO"]


def test_a_server_that_does_not_want_to_know_us_gets_nothing() -> None:
    with saying(b"220 x\r\n", b"550 5.7.1 Not you\r\n") as talk:
        failure = refused(talk)
    assert (failure.code, failure.about_us) == ("550 5.7.1", True)
    assert [line.split()[0] for line in talk.heard] == [b"EHLO", b"QUIT"]


def test_a_way_to_log_in_is_found_as_older_servers_write_it() -> None:
    with saying(b"220 x\r\n", b"250-x\r\n250 AUTH=LOGIN PLAIN\r\n", b"235 Welcome\r\n") as talk:
        opened = session.start(where(talk.port, username="user", password="secret"))
        opened.sock.close()
    assert talk.heard[1].startswith(b"AUTH PLAIN ")


def test_without_a_way_to_log_in_nothing_leaves() -> None:
    with smtp_server.running({"auth": {"user": "secret"}, "mechanisms": "CRAM-MD5"}) as server:
        outcomes = put_off(transport(server.port, username="user", password="secret"))
    assert all(one.about_us for one in outcomes)
    assert not any(line.startswith("MAIL") for line in server.commands)


def test_a_server_that_refuses_the_mechanism_is_not_sent_the_password() -> None:
    with saying(b"220 x\r\n", b"250-x\r\n250 AUTH LOGIN\r\n", b"504 5.5.4 Not this one\r\n") as talk:
        assert refused(talk, username="user", password="secret").code == "504 5.5.4"
    assert [line.split()[0] for line in talk.heard] == [b"EHLO", b"AUTH", b"QUIT"]


def test_a_server_that_goes_away_at_its_greeting_is_not_waited_for() -> None:
    with smtp_server.running({"rules": [{"at": "EHLO", "do": "close"}]}) as server:
        outcomes = put_off(transport(server.port))
    assert all(one.unreachable for one in outcomes)


def test_a_greeting_that_does_not_come_is_waited_for_as_long_as_any_answer() -> None:
    with saying() as talk:
        server = session.Server.read(config.MailServer("127.0.0.1", talk.port), config.Timeouts(5, 0.1, 2))
        began = time.monotonic()
        with pytest.raises(session.SessionFailed):
            session.start(server)
        assert time.monotonic() - began < 4


def test_a_server_that_takes_no_connection_is_not_waited_for_longer_than_set() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    port = listener.getsockname()[1]
    # The queue of a server that never looks is full now: further connections hang.
    waiting = [socket.socket() for _ in range(3)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
    server = session.Server.read(config.MailServer("127.0.0.1", port), config.Timeouts(0.1, 2, 2))
    with futures.ThreadPoolExecutor(1) as threads:
        try:
            failure = threads.submit(session.start, server).exception(timeout=5)
        finally:
            for one in [listener, *waiting]:
                one.close()
    assert isinstance(failure, session.SessionFailed)
    assert failure.phase is Phase.CONNECT


def test_a_host_that_is_no_name_at_all_keeps_nobody_waiting() -> None:
    """What the library raises then is of no kind that anybody expects of a connection."""
    outcomes = put_off(transport(25, host="x" * 64 + ".example"))
    assert all(one.unreachable for one in outcomes)


def test_short_commands_do_not_wait_for_each_other() -> None:
    """Nagle's algorithm would hold each envelope back until the last answer was acknowledged."""
    with smtp_server.running() as server:
        opened = session.start(where(server.port))
        assert opened.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        opened.sock.close()


@pytest.mark.parametrize(
    ("host", "address", "name"),
    [
        ("mail.news.example", "192.0.2.1", "mail.news.example"),
        ("laptop", "192.0.2.1", "[192.0.2.1]"),
        ("laptop", "2001:db8::1", "[IPv6:2001:db8::1]"),
        ("pc of.ann", "192.0.2.1", "[192.0.2.1]"),
    ],
)
def test_we_call_ourselves_what_the_protocol_allows(
    host: str, address: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 5321 4.1.3: a full name, or the address in brackets."""
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    sock: Any = SimpleNamespace(getsockname=lambda: (address, 1))
    assert session._Opening(where(25), sock)._name() == name


# --- The pool, which opens and closes sessions beside the loop ----------------------------------


def await_(happens: Callable[[], object]) -> None:
    ends = time.monotonic() + 5
    while not happens():
        assert time.monotonic() < ends
        time.sleep(0.002)


def is_readable(pool: connection_pool.ConnectionPool) -> bool:
    return bool(select.select([pool.fileno], [], [], 0)[0])


def test_a_session_that_nobody_took_is_parted_from() -> None:
    with smtp_server.running() as server:
        pool = connection_pool.ConnectionPool(where(server.port), 1)
        pool.open_one()
        await_(lambda: is_readable(pool))
        pool.close()
        assert server.commands[-1] == "QUIT"
    assert pool.fileno == -1
    with pytest.raises(RuntimeError):
        pool.open_one()


def test_a_session_that_comes_too_late_is_parted_from_as_well() -> None:
    with smtp_server.running({"rules": [{"at": "CONNECT", "do": "delay", "seconds": 0.1}]}) as server:
        pool = connection_pool.ConnectionPool(where(server.port), 1)
        pool.open_one()
        pool.close()
        await_(lambda: "QUIT" in server.commands)


def test_the_wake_up_pipe_is_readable_once_for_each_arrival_and_asking_never_waits() -> None:
    with smtp_server.running() as server:
        pool = connection_pool.ConnectionPool(where(server.port), 2)
        assert pool.arrived() == []
        pool.open_one()
        await_(lambda: is_readable(pool))
        [arrival] = pool.arrived()
        assert isinstance(arrival, session.Session)
        assert not is_readable(pool), "every wait of the loop would end at once"
        pool.close_session(arrival.sock)
        pool.close()


def test_nobody_waits_for_a_server_that_does_not_say_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_pool, "_QUIT_SECONDS", 0.3)
    with saying(b"220 x\r\n", b"250 x\r\n") as talk:
        opened = session.start(where(talk.port))
        pool = connection_pool.ConnectionPool(where(talk.port), 1)
        began = time.monotonic()
        pool.close_session(opened.sock)
        assert time.monotonic() - began < 0.25
        pool.close()
        assert talk.over.wait(2), "the connection was left open"
    connection_pool._quit(opened.sock)  # gone already: not a word
