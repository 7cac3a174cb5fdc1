"""What a socket took, or may have taken, decides; and so does what it still has to say."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from postal.replies import Reply
from postal.tests.test_smtp_conversation import attempt
from postal.tests.test_smtp_outcomes import copies, hand_over, states, transport
from postal.transports import session, smtp
from tests.faults import smtp_server


class Socket:
    """Takes so much of each piece, or fails; then has heard what it was told to."""

    def __init__(self, *, takes: Iterator[int | Exception], hears: Sequence[bytes] = ()) -> None:
        self.offered: list[int] = []
        self._takes, self._hears = takes, list(hears)

    def fileno(self) -> int:
        return 99

    def send(self, octets: bytes) -> int:
        self.offered.append(len(octets))
        taken = next(self._takes)
        if isinstance(taken, Exception):
            raise taken
        return min(taken, len(octets))

    def sendmsg(self, pieces: Sequence[bytes]) -> int:
        return self.send(b"".join(pieces))

    def recv(self, _most: int) -> bytes:
        if not self._hears:
            raise ssl.SSLWantReadError
        return self._hears.pop(0)


def line(takes: Sequence[int | Exception], *, encrypted: bool, hears: Sequence[bytes] = ()) -> smtp._Line:
    """A session on which copy 1 is to leave; everything before has."""
    sock: Any = Socket(takes=iter([10_000, *takes]), hears=hears)
    made = smtp._Line(session.Session(sock, {"PIPELINING": ""}))
    made._is_encrypted = encrypted
    made.begin(attempt(1))
    made.write()
    for code in (250, 250, 354):
        assert made.talk.receive(Reply(code, "")) is None
    return made


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
    made = line([error], encrypted=encrypted)
    made.write()
    [outcome], again = made.talk.lose("gone")
    assert (outcome.state, again) == (state, [])


def test_what_may_be_on_the_wire_is_one_record_and_no_more() -> None:
    made = line([ssl.SSLWantWriteError()], encrypted=True)
    made.talk.outgoing.add([b"x" * 100_000], 100_000)
    made.write()
    sock: Any = made.sock
    assert sock.offered[-1] == 16_384


@pytest.mark.parametrize("encrypted", [True, False])
def test_an_answer_that_came_before_the_end_is_heard(encrypted: bool) -> None:
    """The server took the message, said so and left; we find out when the next envelope cannot leave."""
    made = line([10_000, BrokenPipeError()], encrypted=encrypted, hears=[b"250 2.0.0 Ok\r\n", b""])
    made.write()
    made.begin(attempt(2))
    [outcome] = made.write()
    assert (outcome.delivery_id, outcome.state) == (1, "accepted")
    assert made.failure


def test_nothing_that_is_said_after_the_end_is_taken_for_an_answer() -> None:
    made = line([10_000, 10_000], encrypted=False, hears=[b"421 4.3.2 Closing\r\n250 2.1.0 Ok\r\n"])
    made.write()
    made.begin(attempt(2))
    made.write()
    [outcome] = made.read()
    assert (outcome.delivery_id, outcome.state) == (1, "deferred")
    _, [behind] = made.talk.lose(made.failure)
    assert behind.copy.delivery_id == 2


def test_everything_that_was_decrypted_is_read() -> None:
    """What stands ready behind the encryption is not reported by any poll."""
    made = line([10_000, 10_000], encrypted=True, hears=[b"250 2.0.0 O", b"k\r\n"])
    made.write()
    [outcome] = made.read()
    assert outcome.state == "accepted"


def test_what_is_no_longer_held_is_not_written() -> None:
    """A process that slept in the middle of a copy writes not one byte more of it."""
    connection = line([10_000, 10_000], encrypted=False)
    connection.write(lambda: False)
    [outcome], again = connection.talk.lose(connection.failure)
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


def test_a_server_is_late_when_it_stands_still_and_not_when_it_is_slow() -> None:
    """Each answer begins the waiting anew."""
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
