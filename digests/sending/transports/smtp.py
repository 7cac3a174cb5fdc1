"""Bulk mail over SMTP: several sessions in one process, each pipelined, phases driven explicitly.

A session is opened in the blocking way (`session`), then its socket is served by one selector
loop together with the others. What is said is in `conversation`; here octets move, time passes,
and sessions are opened, kept and replaced.
"""

import contextlib
import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from digests.sending import replies
from digests.sending.transports import session, wire
from digests.sending.transports.base import Copy, Outcome, Phase
from digests.sending.transports.conversation import Attempt, Conversation

# Octets given to the kernel at once; one TLS record, so that what may have left is known.
_RECORD = 16384
_QUIT_SECONDS = 2.0
_NOT_NOW = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class SmtpTransport:
    """See `base.Transport`. At most CONNECTIONS sessions, opened when needed and kept between batches."""

    needs: Literal["payload", "merge"] = "payload"

    def __init__(self, *, smtp: dict[str, Any], sending: dict[str, Any]) -> None:
        self._server = session.Server.read(smtp, sending["TIMEOUTS"])
        self._command_seconds = float(sending["TIMEOUTS"]["command"])
        self._final_seconds = float(sending["TIMEOUTS"]["final"])
        self._connections = int(sending["CONNECTIONS"])
        self._per_connection = int(sending["MESSAGES_PER_CONNECTION"])
        self._lines: list[_Line] = []
        self._queue: deque[Attempt] = deque()
        self._down: session.SessionFailed | None = None

    def open(self) -> None:
        """Nothing to prepare: sessions are opened when the first copy needs them."""

    def hand_over(self, copies: Sequence[Copy]) -> Iterator[Outcome]:
        """See `base.Transport.hand_over`. Takes at most one command and one final timeout."""
        refusals = {copy.delivery_id: _refusal(copy) for copy in copies}
        self._queue.extend(Attempt(one, one.payload or b"") for one in copies if not refusals[one.delivery_id])
        self._down = None
        self._drop_dead_lines()
        try:
            yield from filter(None, refusals.values())
            while self._queue or any(not line.is_idle for line in self._lines):
                yield from self._turn()
        finally:
            # Reached early when the iterator is dropped: what is under way must not go on.
            self._queue.clear()
            self._close_lines([line for line in self._lines if not line.is_idle], politely=False)

    def close(self) -> None:
        """QUIT every session and close it. Never raises."""
        self._close_lines(list(self._lines), politely=True)

    def _turn(self) -> list[Outcome]:
        """Give out work, wait for something to happen, and return what became known."""
        outcomes = self._give_out_work()
        busy = [line for line in self._lines if not line.is_idle]
        if self._down is not None and not busy:
            outcomes += self._give_up(self._down)
        if busy and not outcomes:
            outcomes += self._serve(busy)
        return outcomes

    def _give_out_work(self) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for line in list(self._lines):
            outcomes += self._advance(line)
        while self._queue and self._down is None and len(self._lines) < self._connections:
            try:
                line = _Line(session.start(self._server))
            except session.SessionFailed as failure:
                self._down = failure
                break
            self._lines.append(line)
            outcomes += self._advance(line)
        return outcomes

    def _give_up(self, failure: session.SessionFailed) -> list[Outcome]:
        """Defer every copy that no session has taken yet."""
        outcomes = [_not_handed(attempt.copy, failure) for attempt in self._queue]
        self._queue.clear()
        return outcomes

    def _serve(self, busy: list["_Line"]) -> list[Outcome]:
        """Wait until a session has news or one has waited too long."""
        with selectors.PollSelector() as selector:
            for line in busy:
                selector.register(line.sock, line.interest, line)
            patience = min(line.patience(self._limit(line)) for line in busy)
            ready = [key.data for key, _ in selector.select(max(patience, 0))]
        outcomes: list[Outcome] = []
        for line in ready:
            outcomes += line.read()
            outcomes += self._advance(line)
        # What has arrived is read before anybody is called late: we may have been the late ones.
        for line in busy:
            if line in self._lines and line not in ready and line.patience(self._limit(line)) <= 0:
                line.fail("The mail server did not answer in time.")
                # Waiting so long for each copy would outlast their lease.
                self._down = session.SessionFailed("The mail server does not answer in time.")
                outcomes += self._give_up(self._down) + self._advance(line)
        return outcomes

    def _advance(self, line: "_Line") -> list[Outcome]:
        """Begin what the session can take, write, and clear up when it is over."""
        while self._queue and line.begun < self._per_connection and line.talk.takes_next:
            line.begin(self._queue.popleft())
        outcomes = line.write()
        if line.failure:
            lost, again = line.talk.lose(line.failure)
            self._queue.extendleft(reversed(again))
            self._close_lines([line], politely=False)
            return outcomes + lost
        if line.is_idle and line.begun >= self._per_connection:
            self._close_lines([line], politely=True)
        return outcomes

    def _limit(self, line: "_Line") -> float:
        return self._final_seconds if line.talk.awaits_final else self._command_seconds

    def _drop_dead_lines(self) -> None:
        """Sessions kept from the last batch may have been ended by the server meanwhile."""
        for line in list(self._lines):
            line.read()
            line.talk.is_stale = True
            if line.failure:
                self._close_lines([line], politely=False)

    def _close_lines(self, lines: list["_Line"], *, politely: bool) -> None:
        for line in lines:
            self._lines.remove(line)
            line.close(politely=politely)


class _Line:
    """One session's socket and its conversation."""

    def __init__(self, opened: session.Session) -> None:
        self.sock: socket.socket = opened.sock
        self.talk = Conversation(opened.extensions)
        self.begun = 0
        self.failure = ""
        self._parser = wire.ReplyParser()
        self._moved_at = time.monotonic()

    @property
    def is_idle(self) -> bool:
        return self.talk.is_idle

    @property
    def interest(self) -> int:
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self.talk.outgoing else 0)

    def patience(self, limit: float) -> float:
        """Seconds until the server has been silent for `limit`."""
        return self._moved_at + limit - time.monotonic()

    def begin(self, attempt: Attempt) -> None:
        self.begun += 1
        self._moved_at = time.monotonic()
        self.talk.begin(attempt)

    def fail(self, reason: str) -> None:
        self.failure = self.failure or reason

    def read(self) -> list[Outcome]:
        """Everything that has arrived, as outcomes. The end of the stream is a failure."""
        outcomes: list[Outcome] = []
        while not self.failure:
            try:
                data = self.sock.recv(65536)
            except _NOT_NOW:
                break
            except OSError:
                data = b""
            if not data:
                self.fail("The mail server closed the connection.")
                break
            self._moved_at = time.monotonic()
            outcomes += self._take(data)
        return outcomes

    def write(self) -> list[Outcome]:
        """As much of what is to be said as the kernel takes, and what was said meanwhile."""
        while self.talk.outgoing and not self.failure:
            offered = bytes(self.talk.outgoing[:_RECORD]) if self._is_encrypted else bytes(self.talk.outgoing)
            try:
                sent = self.sock.send(offered)
            except _NOT_NOW:
                if self._is_encrypted:
                    # The record is made and part of it may be on the wire.
                    self.talk.may_have_left(len(offered))
                break
            except OSError:
                if self._is_encrypted:
                    self.talk.may_have_left(len(offered))
                # Answers that came before the end are still to be read: they decide.
                outcomes = self.read()
                self.fail("The mail server closed the connection.")
                return outcomes
            self.talk.left(sent)
            self._moved_at = time.monotonic()
        return []

    def close(self, *, politely: bool) -> None:
        with contextlib.suppress(OSError):
            if politely:
                self.sock.settimeout(_QUIT_SECONDS)
                self.sock.sendall(b"QUIT\r\n")
                self.sock.recv(512)
        with contextlib.suppress(OSError):
            self.sock.close()

    @property
    def _is_encrypted(self) -> bool:
        return isinstance(self.sock, ssl.SSLSocket)

    def _take(self, data: bytes) -> list[Outcome]:
        outcomes = []
        try:
            for reply in self._parser.feed(data):
                outcome = self.talk.receive(reply)
                if outcome is not None:
                    outcomes.append(outcome)
                if self.talk.is_over:
                    self.fail(replies.clean(f"The mail server ended the session: {reply.code} {reply.text}"))
                    break
        except wire.ProtocolBroken:
            self.fail("The mail server answered with something that is not SMTP.")
        return outcomes


def _refusal(copy: Copy) -> Outcome | None:
    """The outcome of a copy that no server needs to be asked about, or None."""
    if copy.payload is None:
        reason = "The copy was not rendered before it was handed over."
        return Outcome(copy.delivery_id, "deferred", Phase.LOCAL, reason, about_us=True)
    if not wire.is_path(copy.recipient):
        reason = "The reader's address cannot be written in an SMTP envelope."
    elif copy.envelope_from and not wire.is_path(copy.envelope_from):
        reason = "The sender's address cannot be written in an SMTP envelope."
        return Outcome(copy.delivery_id, "rejected", Phase.LOCAL, reason, about_us=True)
    else:
        return None
    return Outcome(copy.delivery_id, "rejected", Phase.LOCAL, reason)


def _not_handed(copy: Copy, failure: session.SessionFailed) -> Outcome:
    return Outcome(copy.delivery_id, "deferred", failure.phase, failure.reason, failure.code, about_us=failure.about_us)
