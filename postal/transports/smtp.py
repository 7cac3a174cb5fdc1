"""Bulk mail over SMTP: several sessions in one process, each pipelined, phases driven explicitly.

A session is opened in a thread (`connection_pool`), then its socket is served by one loop together with the
others. What is said is in `conversation`; here octets move, time passes,
and sessions are opened, kept and replaced.
"""

import contextlib
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator, Sequence

from postal import config, replies
from postal.transports import base, connection_pool, session, wire
from postal.transports.base import Copy, Held, More, Needs, Outcome, Phase, always, nothing_more
from postal.transports.conversation import Attempt, Conversation

# Octets given to the kernel at once; one TLS record, so that what may have left is known.
_RECORD = 16384
# So many pieces at most does a kernel gather at once (IOV_MAX, 1024 on Linux and macOS).
_PIECES = 1024
# More than the answers to a batch of commands; what is left over is read at once.
_RECEIVE = 8192
# However quiet it is, the lane is asked for more so often: it keeps its leases then.
_LOOK_UP_SECONDS = 1.0
# A server that allows fewer sessions than we want is asked for one more after this long.
_ENOUGH_SECONDS = 5.0
# A session refused once is chance. Refused twice in a row while others are open, it is one too many; refused three
# times with none open, the server is away.
_TOO_MANY_REFUSALS, _AWAY_REFUSALS = 2, 3
_NOT_NOW = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class SmtpTransport:
    """See `base.Transport`. At most CONNECTIONS sessions, opened when needed and kept between batches."""

    needs: Needs = "stuffed"

    def __init__(self, *, smtp: config.MailServer, sending: config.Sending) -> None:
        self._server = session.Server.read(smtp, sending.timeouts)
        self._command_seconds = sending.timeouts.command_seconds
        self._final_seconds = sending.timeouts.final_seconds
        self._connections = self._room = sending.connections
        self._per_connection = self._most_per_connection = sending.messages_per_connection
        # After how many messages, and when, the server last ended a session of its own accord.
        self._ended_after, self._ended_at = 0, 0.0
        self._pool: connection_pool.ConnectionPool | None = None
        self._lines: dict[int, _Line] = {}
        self._poll = select.poll()
        self._queue: deque[Attempt] = deque()
        self._down: session.SessionFailed | None = None
        self._refusals = 0
        self._look_at = self._ask_at = self._room_grows_at = 0.0
        self._is_held: Held = always

    def open(self) -> None:
        """Nothing to prepare: sessions are opened when the first copy needs them."""

    def hand_over(
        self, copies: Sequence[Copy], *, more: More = nothing_more, is_held: Held = always
    ) -> Iterator[Outcome]:
        """See `base.Transport.hand_over`. Takes at most one command and one final timeout after the last copy."""
        self._down, self._refusals, self._is_held = None, 0, is_held
        self._drop_dead_lines()
        try:
            yield from self._take_in(copies)
            while self._queue or self._is_busy:
                if not is_held():
                    yield from self._let_go()
                    return
                yield from self._take_in(self._ask(more))
                yield from self._turn()
        finally:
            # Reached early when the iterator is dropped: what is under way must not go on.
            self._queue.clear()
            for line in [line for line in self._lines.values() if not line.is_idle]:
                self._close(line, politely=False)

    def close(self) -> None:
        """QUIT every session and close it. Never raises."""
        for line in list(self._lines.values()):
            self._close(line, politely=True)
        if self._pool is not None:
            self._poll.unregister(self._pool.fileno)
            self._pool.close()
            self._pool = None

    @property
    def _is_busy(self) -> bool:
        return not all(line.is_idle for line in self._lines.values())

    def _ask(self, more: More) -> Sequence[Copy]:
        """More copies once those at hand are nearly begun; and now and then, for whoever asks keeps our leases."""
        now = time.monotonic()
        if self._down is not None or (len(self._queue) > self._connections and now < self._ask_at):
            return ()
        self._ask_at = now + _LOOK_UP_SECONDS
        return more()

    def _take_in(self, copies: Sequence[Copy]) -> Iterator[Outcome]:
        """Queue the copies and begin as many as there are free sessions; yield what needs no server."""
        for copy in copies:
            refusal = _refusal(copy)
            if refusal is None:
                self._queue.append(Attempt(copy))
            else:
                yield refusal
        if copies:
            for line in list(self._lines.values()):
                yield from self._advance(line)

    def _turn(self) -> list[Outcome]:
        """Open what sessions are wanted, wait for something to happen, and return what became known."""
        # A copy that comes back from a session that ended goes to one that has nothing to do.
        outcomes = [
            one for line in list(self._lines.values()) if self._queue and line.is_idle for one in self._advance(line)
        ]
        if outcomes:
            return outcomes
        pool = self._sessions()
        if self._down is not None and not self._is_busy and not pool.opening:
            return self._give_up(self._down)
        if self._down is None:
            free = self._room_now() - len(self._lines) - pool.opening
            # A session that is being opened will take one copy; those that are open go on with the others.
            for _ in range(min(free, len(self._queue) - pool.opening)):
                pool.open_one()
        return self._serve()

    def _room_now(self) -> int:
        """How many sessions the server seems to allow; one more from time to time."""
        if self._room < self._connections and time.monotonic() >= self._room_grows_at:
            self._room += 1
            self._room_grows_at = time.monotonic() + _ENOUGH_SECONDS
        return self._room

    def _sessions(self) -> connection_pool.ConnectionPool:
        if self._pool is None:
            self._pool = connection_pool.ConnectionPool(self._server, self._connections)
            self._poll.register(self._pool.fileno, select.POLLIN)
        return self._pool

    def _take_sessions(self) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for found in self._sessions().arrived():
            if isinstance(found, session.Session):
                # A server that refused the others while this one began has had enough of us, and is not away.
                self._down, self._refusals = None, 0
                line = _Line(found)
                self._lines[line.fileno] = line
                outcomes += self._advance(line)
            else:
                self._note_refusal(found)
        return outcomes

    def _note_refusal(self, failure: session.SessionFailed) -> None:
        self._refusals += 1
        if self._lines:
            if self._refusals >= _TOO_MANY_REFUSALS:
                self._room = len(self._lines) + self._sessions().opening
                self._room_grows_at = time.monotonic() + _ENOUGH_SECONDS
        elif self._refusals >= _AWAY_REFUSALS or not failure.code.startswith("4"):
            self._down = failure

    def _give_up(self, failure: session.SessionFailed) -> list[Outcome]:
        """Defer every copy that no session has taken yet."""
        outcomes = [_not_handed(attempt.copy, failure) for attempt in self._queue]
        self._queue.clear()
        return outcomes

    def _serve(self) -> list[Outcome]:
        """Wait until a session has news or one has waited too long."""
        outcomes: list[Outcome] = []
        patience = min(max(0.0, self._look_at - time.monotonic()), _LOOK_UP_SECONDS)
        for fileno, _ in self._poll.poll(1000 * patience):
            line = self._lines.get(fileno)
            if line is None:
                outcomes += self._take_sessions()
                continue
            outcomes += line.read()
            outcomes += self._advance(line)
        # What has arrived is read before anybody is called late: we may have been the late ones.
        if time.monotonic() >= self._look_at:
            outcomes += self._call_late()
        return outcomes

    def _call_late(self) -> list[Outcome]:
        """End the sessions that kept us waiting too long, and note when to look again."""
        outcomes: list[Outcome] = []
        # Nobody who moves after this instant can be late before then.
        wait = min(self._command_seconds, self._final_seconds)
        for line in [line for line in self._lines.values() if not line.is_idle]:
            patience = line.patience(self._final_seconds if line.talk.awaits_final else self._command_seconds)
            if patience > 0:
                wait = min(wait, patience)
                continue
            line.fail("The mail server did not answer in time.")
            # Waiting so long for each copy would outlast their lease.
            self._down = session.SessionFailed("The mail server does not answer in time.")
            outcomes += self._give_up(self._down) + self._advance(line)
        self._look_at = time.monotonic() + wait
        return outcomes

    def _advance(self, line: "_Line") -> list[Outcome]:
        """Begin what the session can take, write, and clear up when it is over."""
        while self._queue and line.begun < self._per_connection and line.talk.takes_next:
            line.begin(self._queue.popleft())
        outcomes = line.write(self._is_held)
        if line.failure:
            lost, again = line.talk.lose(line.failure)
            self._queue.extendleft(reversed(again))
            if line.ended_by_server and line.talk.was_full:
                self._learn(line)
            self._close(line, politely=False)
            return outcomes + lost
        if line.begun >= self._per_connection and line.is_idle:
            self._close(line, politely=True)
        else:
            line.watch(self._poll)
        return outcomes

    def _learn(self, line: "_Line") -> None:
        """A server that ends two sessions in a row after the same number of messages takes no more: we part first.

        Sessions that were open at the same time say it once. If one ends sooner, the count was chance.
        """
        if line.opened_at < self._ended_at:
            return
        count = line.talk.finished
        self._per_connection = count if count == self._ended_after else self._most_per_connection
        self._ended_after, self._ended_at = count, time.monotonic()

    def _let_go(self) -> list[Outcome]:
        """Our copies may belong to another lane by now: read what was answered, and write nothing more."""
        outcomes: list[Outcome] = []
        for line in list(self._lines.values()):
            outcomes += line.read()
            lost, again = line.talk.lose(base.ASLEEP)
            outcomes += lost
            self._queue.extend(again)
            self._close(line, politely=False)
        outcomes += [base.asleep(one.copy) for one in self._queue]
        self._queue.clear()
        return outcomes

    def _drop_dead_lines(self) -> None:
        """Sessions kept from the last batch may have been ended by the server meanwhile."""
        for line in list(self._lines.values()):
            line.read()
            if line.failure:
                self._close(line, politely=False)

    def _close(self, line: "_Line", *, politely: bool) -> None:
        del self._lines[line.fileno]
        with contextlib.suppress(KeyError):
            self._poll.unregister(line.fileno)
        if politely:
            self._sessions().close_session(line.sock)
        else:
            with contextlib.suppress(OSError):
                line.sock.close()


class _Line:
    """One session's socket and its conversation."""

    def __init__(self, opened: session.Session) -> None:
        self.sock: socket.socket = opened.sock
        self.fileno = opened.sock.fileno()
        self.talk = Conversation(opened.extensions)
        self.begun = 0
        self.failure = ""
        self.ended_by_server = False
        self._parser = wire.ReplyParser()
        self._moved_at = self.opened_at = time.monotonic()
        self._is_encrypted = isinstance(opened.sock, ssl.SSLSocket)
        self._watched = 0

    @property
    def is_idle(self) -> bool:
        return self.talk.is_idle

    def watch(self, poll: "select.poll") -> None:
        """Have `poll` report what this session waits for."""
        wanted = select.POLLIN | (select.POLLOUT if self.talk.outgoing else 0)
        if wanted != self._watched:
            self._watched = wanted
            poll.register(self.fileno, wanted)

    def patience(self, limit: float) -> float:
        """Seconds until the server has been silent for `limit`."""
        return self._moved_at + limit - time.monotonic()

    def begin(self, attempt: Attempt) -> None:
        self.begun += 1
        self.talk.begin(attempt)

    def fail(self, reason: str, *, by_server: bool = False) -> None:
        if not self.failure:
            self.failure, self.ended_by_server = reason, by_server

    def read(self) -> list[Outcome]:
        """Everything that has arrived, as outcomes. The end of the stream is a failure."""
        outcomes: list[Outcome] = []
        while not self.failure:
            try:
                data = self.sock.recv(_RECEIVE)
            except _NOT_NOW:
                break
            except OSError:
                data = b""
            if not data:
                self.fail("The mail server closed the connection.", by_server=True)
                break
            self._moved_at = time.monotonic()
            outcomes += self._take(data)
            if len(data) < _RECEIVE and not self._is_encrypted:
                break
        return outcomes

    def write(self, is_held: Held = always) -> list[Outcome]:
        """As much of what is to be said as the kernel takes, and what was said meanwhile."""
        outgoing = self.talk.outgoing
        while outgoing and not self.failure:
            if not is_held():
                self.fail(base.ASLEEP)
                break
            # What is encrypted is offered as one record.
            record = outgoing.first(_RECORD) if self._is_encrypted else b""
            try:
                sent = self.sock.send(record) if record else self.sock.sendmsg(outgoing.pieces[:_PIECES])
            except _NOT_NOW:
                if record:
                    # The record is made and part of it may be on the wire.
                    self.talk.may_have_left(len(record))
                break
            except OSError:
                if record:
                    self.talk.may_have_left(len(record))
                # Answers that came before the end are still to be read: they decide.
                outcomes = self.read()
                self.fail("The mail server closed the connection.", by_server=True)
                return outcomes
            self.talk.left(sent)
            self._moved_at = time.monotonic()
        return []

    def _take(self, data: bytes) -> list[Outcome]:
        outcomes = []
        try:
            for reply in self._parser.feed(data):
                outcome = self.talk.receive(reply)
                if outcome is not None:
                    outcomes.append(outcome)
                if self.talk.is_over:
                    reason = replies.clean(f"The mail server ended the session: {reply.code} {reply.text}")
                    self.fail(reason, by_server=True)
                    break
        except wire.ProtocolBroken:
            self.fail("The mail server answered with something that is not SMTP.")
        return outcomes


def _refusal(copy: Copy) -> Outcome | None:
    """The outcome of a copy that no server needs to be asked about, or None."""
    if copy.payload is None and not copy.stuffed:
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
