"""What a socket took, or may have taken, decides; and so does what it still has to say."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from postal.leases import Lease
from postal.replies import Reply
from postal.tests.test_smtp_conversation import attempt
from postal.tests.test_smtp_outcomes import copies, hand_over, states, transport
from postal.transports import session, smtp_connection
from tests.faults import smtp_server


class Socket:
    """Takes part of each piece, or fails; then receives what it is given in `hears`."""

    def __init__(self, *, takes: Iterator[int | Exception], hears: Sequence[bytes] = ()) -> None:
        self.offered: list[int] = []
        self._takes, self._hears = takes, list(hears)

    def fileno(self) -> int:
        return 99

    def send(self, data: bytes) -> int:
        self.offered.append(len(data))
        taken = next(self._takes)
        if isinstance(taken, Exception):
            raise taken
        return min(taken, len(data))

    def sendmsg(self, pieces: Sequence[bytes]) -> int:
        return self.send(b"".join(pieces))

    def recv(self, _most: int) -> bytes:
        if not self._hears:
            raise ssl.SSLWantReadError
        return self._hears.pop(0)


def at_the_body(
    takes: Sequence[int | Exception], *, encrypted: bool, hears: Sequence[bytes] = ()
) -> smtp_connection.Connection:
    """A session on which copy 1 is to leave; everything before has."""
    sock: Any = Socket(takes=iter([10_000, *takes]), hears=hears)
    connection = smtp_connection.Connection(session.Session(sock, {"PIPELINING": ""}), Lease())
    connection._is_encrypted = encrypted
    connection.begin(attempt(1))
    connection.write()
    for code in (250, 250, 354):
        assert connection.conversation.receive(Reply(code, "")) is None
    return connection


@pytest.mark.parametrize(
    ("encrypted", "error", "state"),
    [
        (True, ssl.SSLWantWriteError(), "uncertain"),
        (True, ConnectionResetError(), "uncertain"),
        (False, BlockingIOError(), "deferred"),
        (False, ConnectionResetError(), "deferred"),
    ],
)
def test_a_record_that_was_made_may_be_on_the_wire(encrypted: bool, error: Exception, state: str) -> None:
    """TLS puts what it was given into a record before it finds the way blocked; a plain socket takes it or not."""
    connection = at_the_body([error], encrypted=encrypted)
    connection.write()
    [outcome], again = connection.conversation.lose("gone")
    assert (outcome.state, again) == (state, [])


def test_what_may_be_on_the_wire_is_one_record_and_no_more() -> None:
    connection = at_the_body([ssl.SSLWantWriteError()], encrypted=True)
    connection.conversation.outgoing.add([b"x" * 100_000], 100_000)
    connection.write()
    sock: Any = connection.sock
    assert sock.offered[-1] == 16_384


@pytest.mark.parametrize("encrypted", [True, False])
def test_an_answer_that_came_before_the_end_is_heard(encrypted: bool) -> None:
    """The server took the message, said so and left; we find out when the next envelope cannot leave."""
    connection = at_the_body([10_000, BrokenPipeError()], encrypted=encrypted, hears=[b"250 2.0.0 Ok\r\n", b""])
    connection.write()
    connection.begin(attempt(2))
    [outcome] = connection.write()
    assert (outcome.delivery_id, outcome.state) == (1, "accepted")
    assert connection.failure


def test_nothing_that_is_said_after_the_end_is_taken_for_an_answer() -> None:
    connection = at_the_body([10_000, 10_000], encrypted=False, hears=[b"421 4.3.2 Closing\r\n250 2.1.0 Ok\r\n"])
    connection.write()
    connection.begin(attempt(2))
    connection.write()
    [outcome] = connection.read()
    assert (outcome.delivery_id, outcome.state) == (1, "deferred")
    _, [behind] = connection.conversation.lose(connection.failure)
    assert behind.copy.delivery_id == 2


def test_everything_that_was_decrypted_is_read() -> None:
    """What is ready behind the encryption is not reported by any poll."""
    connection = at_the_body([10_000, 10_000], encrypted=True, hears=[b"250 2.0.0 O", b"k\r\n"])
    connection.write()
    [outcome] = connection.read()
    assert outcome.state == "accepted"


def test_what_is_no_longer_held_is_not_written() -> None:
    """A process that slept in the middle of a copy writes not one byte more of it."""
    connection = at_the_body([10_000, 10_000], encrypted=False)
    connection._lease.until = 0.0
    connection.write()
    [outcome], again = connection.conversation.lose(connection.failure)
    assert (outcome.state, again) == ("deferred", [])
    assert len(connection.sock.offered) == 1  # type: ignore[attr-defined]  # the Socket above


def test_sessions_that_died_between_two_batches_are_not_tried_one_after_the_other() -> None:
    """A copy is given to one that died once, and would be put off by the second."""
    with smtp_server.running({"rules": [{"at": "DOT", "do": "delay", "seconds": 0.05, "times": 2}]}) as server:
        sender = transport(server.port, connections=2)
        assert states(hand_over(sender, copies(4))) == {"accepted": 4}
        assert server.connections == 2
        for sock in list(server._open):
            sock.shutdown(2)
        while server._open:
            time.sleep(0.001)
        assert states(hand_over(sender, copies(1))) == {"accepted": 1}
        sender.close()


def test_a_server_is_late_when_it_is_silent_and_not_when_it_is_slow() -> None:
    """Each answer begins the waiting again."""
    rules = [{"at": moment, "do": "delay", "seconds": 0.2} for moment in ("MAIL", "RCPT", "DATA")]
    with smtp_server.running({"rules": rules}) as server:
        sender = transport(server.port, command=0.45)
        outcomes = hand_over(sender, copies(1))
        sender.close()
    assert states(outcomes) == {"accepted": 1}


def test_a_session_that_rested_is_given_its_full_time() -> None:
    with smtp_server.running({"rules": [{"at": "MAIL", "do": "delay", "seconds": 0.1}]}) as server:
        sender = transport(server.port, command=0.4)
        assert states(hand_over(sender, copies(1))) == {"accepted": 1}
        time.sleep(0.4)
        assert states(hand_over(sender, copies(1))) == {"accepted": 1}
        sender.close()
    assert server.connections == 1


def test_a_message_longer_than_the_kernel_takes_at_once_leaves_whole() -> None:
    long_payload = b"Subject: x\r\n\r\n" + (b"y" * 998 + b"\r\n") * 9_000
    with smtp_server.running({"rules": [{"at": "BODY", "do": "delay", "seconds": 0.05}]}) as server:
        sender = transport(server.port)
        outcomes = hand_over(sender, copies(1, long_payload))
        sender.close()
    assert states(outcomes) == {"accepted": 1}
    assert server.messages == [long_payload]
