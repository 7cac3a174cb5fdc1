"""Bulk mail over SMTP: several sessions in one process, each pipelined, phases driven explicitly.

A session is opened in a thread (`connection_pool`), then its socket is served by one poll loop together with
the others (`smtp_connection`). What is said on it is in `conversation`. Here sessions are opened, kept and
replaced, and copies are given to them.
"""

import contextlib
import select
import time
from collections import deque
from collections.abc import Sequence

from postal import config
from postal.leases import Lease
from postal.transports import base, connection_pool, session, wire
from postal.transports.base import Copy, Needs, Outcome, Phase
from postal.transports.conversation import Attempt
from postal.transports.smtp_connection import Connection

# A server that allows fewer sessions than we want is asked for one more after this long.
_ENOUGH_SECONDS = 5.0
# A session refused once is chance. Refused twice in a row while others are open, it is one too many; refused three
# times with none open, the server is away.
_TOO_MANY_REFUSALS, _AWAY_REFUSALS = 2, 3


class SmtpTransport:
    """See `base.Transport`. At most CONNECTIONS sessions, opened when needed and kept while the lane runs.

    The last copy has its outcome at most one command and one final timeout after it was submitted.
    """

    needs: Needs = "stuffed"

    def __init__(self, *, smtp: config.MailServer, sending: config.Sending, lease: Lease) -> None:
        self._server = session.Server.read(smtp, sending.timeouts)
        self._lease = lease
        self._in_flight = sending.copies_in_flight
        self._command_seconds = sending.timeouts.command_seconds
        self._final_seconds = sending.timeouts.final_seconds
        self._most_connections = self._room = sending.connections
        self._per_connection = self._most_per_connection = sending.messages_per_connection
        # After how many messages, and when, the server last ended a session of its own accord.
        self._ended_after, self._ended_at = 0, 0.0
        self._pool: connection_pool.ConnectionPool | None = None
        self._connections: dict[int, Connection] = {}
        self._poll = select.poll()
        self._queue: deque[Attempt] = deque()
        self._known: list[Outcome] = []
        # Why no session can be had, from when that is known until all copies at hand have their outcomes.
        self._down: session.SessionFailed | None = None
        self._refusals = 0
        self._look_at = self._room_grows_at = 0.0

    def ready(self) -> int:
        """See `base.Transport.ready`. More copies are wanted once those at hand are nearly begun."""
        if self._has_copies and (self._down is not None or len(self._queue) > self._most_connections):
            return 0
        return self._in_flight

    def submit(self, copies: Sequence[Copy]) -> None:
        """See `base.Transport.submit`. Sessions that are free begin with the copies at once."""
        if not self._has_copies:
            self._down, self._refusals = None, 0
            self._drop_dead_connections()
        for copy in copies:
            refusal = _refusal(copy)
            if refusal is None:
                self._queue.append(Attempt(copy))
            else:
                self._known.append(refusal)
        for connection in list(self._connections.values()):
            self._known += self._advance(connection)

    def results(self, timeout: float) -> list[Outcome]:
        """See `base.Transport.results`."""
        outcomes, self._known = self._known, []
        until = time.monotonic() + timeout
        while not outcomes and self._has_copies:
            wait = max(0.0, until - time.monotonic())
            outcomes = self._turn(wait) if self._lease.is_held else self._give_back()
            if time.monotonic() >= until:
                break
        return outcomes

    def close(self) -> None:
        """See `base.Transport.close`."""
        self._queue.clear()
        for connection in list(self._connections.values()):
            self._close(connection, politely=connection.is_idle)
        if self._pool is not None:
            self._poll.unregister(self._pool.fileno)
            self._pool.close()
            self._pool = None

    @property
    def _has_copies(self) -> bool:
        return bool(self._queue) or self._is_busy

    @property
    def _is_busy(self) -> bool:
        return not all(connection.is_idle for connection in self._connections.values())

    def _turn(self, timeout: float) -> list[Outcome]:
        """Open what sessions are wanted, wait for something to happen, and return what became known."""
        # A copy that comes back from a session that ended goes to one that has nothing to do.
        idle = [connection for connection in self._connections.values() if connection.is_idle] if self._queue else []
        outcomes = [one for connection in idle if self._queue for one in self._advance(connection)]
        if outcomes:
            return outcomes
        pool = self._sessions()
        if self._down is not None and not self._is_busy and not pool.opening:
            return self._give_up(self._down)
        if self._down is None:
            free = self._room_now() - len(self._connections) - pool.opening
            # A session that is being opened will take one copy; those that are open go on with the others.
            for _ in range(min(free, len(self._queue) - pool.opening)):
                pool.open_one()
        return self._serve(timeout)

    def _room_now(self) -> int:
        """How many sessions the server seems to allow; one more from time to time."""
        if self._room < self._most_connections and time.monotonic() >= self._room_grows_at:
            self._room += 1
            self._room_grows_at = time.monotonic() + _ENOUGH_SECONDS
        return self._room

    def _sessions(self) -> connection_pool.ConnectionPool:
        if self._pool is None:
            self._pool = connection_pool.ConnectionPool(self._server, self._most_connections)
            self._poll.register(self._pool.fileno, select.POLLIN)
        return self._pool

    def _take_sessions(self) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for arrived in self._sessions().arrived():
            if isinstance(arrived, session.Session):
                # A server that refused the others while this one began has had enough of us, and is not away.
                self._down, self._refusals = None, 0
                connection = Connection(arrived, self._lease)
                self._connections[connection.fileno] = connection
                outcomes += self._advance(connection)
            else:
                self._note_refusal(arrived)
        return outcomes

    def _note_refusal(self, failure: session.SessionFailed) -> None:
        self._refusals += 1
        if self._connections:
            if self._refusals >= _TOO_MANY_REFUSALS:
                self._room = len(self._connections) + self._sessions().opening
                self._room_grows_at = time.monotonic() + _ENOUGH_SECONDS
        elif self._refusals >= _AWAY_REFUSALS or not failure.code.startswith("4"):
            self._down = failure

    def _give_up(self, failure: session.SessionFailed) -> list[Outcome]:
        """Defer every copy that no session has taken yet."""
        outcomes = [_not_handed(attempt.copy, failure) for attempt in self._queue]
        self._queue.clear()
        return outcomes

    def _serve(self, timeout: float) -> list[Outcome]:
        """Wait until a session has news or one has waited too long, at most `timeout` seconds."""
        outcomes: list[Outcome] = []
        patience = min(max(0.0, self._look_at - time.monotonic()), timeout)
        for fileno, _ in self._poll.poll(1000 * patience):
            connection = self._connections.get(fileno)
            if connection is None:
                outcomes += self._take_sessions()
                continue
            outcomes += connection.read()
            outcomes += self._advance(connection)
        # What has arrived is read before anybody is called late: we may have been the late ones.
        if time.monotonic() >= self._look_at:
            outcomes += self._call_late()
        return outcomes

    def _call_late(self) -> list[Outcome]:
        """End the sessions that kept us waiting too long, and note when to look again."""
        outcomes: list[Outcome] = []
        # Nobody who moves after this instant can be late before then.
        wait = min(self._command_seconds, self._final_seconds)
        for connection in [one for one in self._connections.values() if not one.is_idle]:
            awaits_final = connection.conversation.awaits_final
            patience = connection.patience(self._final_seconds if awaits_final else self._command_seconds)
            if patience > 0:
                wait = min(wait, patience)
                continue
            connection.fail("The mail server did not answer in time.")
            # Waiting as long for each copy would outlast their lease.
            self._down = session.SessionFailed("The mail server does not answer in time.")
            outcomes += self._give_up(self._down) + self._advance(connection)
        self._look_at = time.monotonic() + wait
        return outcomes

    def _advance(self, connection: Connection) -> list[Outcome]:
        """Begin what the session can take, write, and clear up when it is over."""
        while self._queue and connection.begun < self._per_connection and connection.conversation.takes_next:
            connection.begin(self._queue.popleft())
        outcomes = connection.write()
        if connection.failure:
            lost, again = connection.conversation.lose(connection.failure)
            self._queue.extendleft(reversed(again))
            if connection.ended_by_server and connection.conversation.was_full:
                self._learn(connection)
            self._close(connection, politely=False)
            return outcomes + lost
        if connection.begun >= self._per_connection and connection.is_idle:
            self._close(connection, politely=True)
        else:
            connection.watch(self._poll)
        return outcomes

    def _learn(self, connection: Connection) -> None:
        """A server that ends two sessions in a row after the same number of messages takes no more: we close first.

        Sessions that were open at the same time say it once. If one ends sooner, the count was chance.
        """
        if connection.opened_at < self._ended_at:
            return
        count = connection.conversation.finished
        self._per_connection = count if count == self._ended_after else self._most_per_connection
        self._ended_after, self._ended_at = count, time.monotonic()

    def _give_back(self) -> list[Outcome]:
        """Our copies may belong to another lane by now: read what was answered, and write nothing more."""
        outcomes: list[Outcome] = []
        for connection in [one for one in self._connections.values() if not one.is_idle]:
            outcomes += connection.read()
            lost, again = connection.conversation.lose(base.ASLEEP)
            outcomes += lost
            self._queue.extend(again)
            self._close(connection, politely=False)
        outcomes += [base.asleep(attempt.copy) for attempt in self._queue]
        self._queue.clear()
        return outcomes

    def _drop_dead_connections(self) -> None:
        """Sessions that were idle may have been ended by the server meanwhile."""
        for connection in list(self._connections.values()):
            connection.read()
            if connection.failure:
                self._close(connection, politely=False)

    def _close(self, connection: Connection, *, politely: bool) -> None:
        del self._connections[connection.fileno]
        with contextlib.suppress(KeyError):
            self._poll.unregister(connection.fileno)
        if politely:
            self._sessions().close_session(connection.sock)
        else:
            with contextlib.suppress(OSError):
                connection.sock.close()


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
