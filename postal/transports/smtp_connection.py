"""One open SMTP session: its socket, and the conversation on it. Bytes move here."""

import select
import socket
import ssl
import time

from postal import replies
from postal.leases import Lease
from postal.transports import base, session, wire
from postal.transports.base import Outcome
from postal.transports.conversation import Attempt, Conversation

# Bytes given to the kernel at once; one TLS record, so that what may have left is known.
_RECORD = 16384
# The most pieces that a kernel gathers at once (IOV_MAX, 1024 on Linux and macOS).
_PIECES = 1024
# More than the answers to a batch of commands; what is left over is read at once.
_RECEIVE = 8192
_NOT_NOW = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """A non-blocking socket and its conversation. Nothing is written once the lease is over."""

    def __init__(self, opened: session.Session, lease: Lease) -> None:
        self.sock: socket.socket = opened.sock
        self.fileno = opened.sock.fileno()
        self.conversation = Conversation(opened.extensions)
        self.begun = 0
        self.failure = ""
        self.ended_by_server = False
        self._lease = lease
        self._parser = wire.ReplyParser()
        self._moved_at = self.opened_at = time.monotonic()
        self._is_encrypted = isinstance(opened.sock, ssl.SSLSocket)
        self._watched = 0

    @property
    def is_idle(self) -> bool:
        return self.conversation.is_idle

    def watch(self, poll: "select.poll") -> None:
        """Have `poll` report what this session waits for."""
        wanted = select.POLLIN | (select.POLLOUT if self.conversation.outgoing else 0)
        if wanted != self._watched:
            self._watched = wanted
            poll.register(self.fileno, wanted)

    def patience(self, limit: float) -> float:
        """Seconds until the server has been silent for `limit`."""
        return self._moved_at + limit - time.monotonic()

    def begin(self, attempt: Attempt) -> None:
        self.begun += 1
        self.conversation.begin(attempt)

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

    def write(self) -> list[Outcome]:
        """Write as much as the kernel takes; the outcomes of what had arrived before the connection ended."""
        outgoing = self.conversation.outgoing
        while outgoing and not self.failure:
            if not self._lease.is_held:
                self.fail(base.ASLEEP)
                break
            # What is encrypted is offered as one record.
            record = outgoing.first(_RECORD) if self._is_encrypted else b""
            try:
                sent = self.sock.send(record) if record else self.sock.sendmsg(outgoing.pieces[:_PIECES])
            except _NOT_NOW:
                if record:
                    # The record is complete, and part of it may be on the wire.
                    self.conversation.may_have_left(len(record))
                break
            except OSError:
                if record:
                    self.conversation.may_have_left(len(record))
                # Answers that came before the end are still to be read: they decide.
                outcomes = self.read()
                self.fail("The mail server closed the connection.", by_server=True)
                return outcomes
            self.conversation.left(sent)
            self._moved_at = time.monotonic()
        return []

    def _take(self, data: bytes) -> list[Outcome]:
        outcomes = []
        try:
            for reply in self._parser.feed(data):
                outcome = self.conversation.receive(reply)
                if outcome is not None:
                    outcomes.append(outcome)
                if self.conversation.is_over:
                    reason = replies.clean(f"The mail server ended the session: {reply.code} {reply.text}")
                    self.fail(reason, by_server=True)
                    break
        except wire.ProtocolBroken:
            self.fail("The mail server answered with something that is not SMTP.")
        return outcomes
