"""What is said on one SMTP session, as a machine without a socket.

It writes commands into `outgoing` and receives each reply. With PIPELINING (RFC 2920) MAIL, RCPT
and DATA leave together, and the next envelope leaves behind the body, so that a server on the
other side of the world is asked once per copy. At most two copies are on a session at a time:
one whose end has been written and one whose envelope is being negotiated.
"""

from collections import deque
from collections.abc import Sequence

from mailkit import segments
from postal.replies import Reply
from postal.transports import smtp_outcomes, wire
from postal.transports.base import Copy, Outcome, Phase

SERVICE_CLOSING = 421
# A copy whose MAIL nobody took goes to another session at most this many times: sessions that reach the server's
# limit one after the other pass it on, but one that makes a server fall over must not do so for ever.
_MOST_MOVES = 20

# An enumeration looks its members up by a function each time.
_MAIL, _RCPT, _DATA, _FINAL = Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.FINAL
_END = b".\r\n"


class Attempt:
    """One copy on its way through a session."""

    __slots__ = ("answered", "body", "copy", "end_at", "is_ascii", "moves", "size", "verdict")

    def __init__(self, copy: Copy) -> None:
        self.copy = copy
        self.body: Sequence[bytes] = copy.stuffed
        self.is_ascii = True
        if copy.payload is not None:
            self.body = [segments.stuff(wire.canonical(copy.payload))]
            self.is_ascii = copy.payload.isascii()
        self.size = sum(map(len, self.body))
        self.moves = 0
        self.verdict: Outcome | None = None
        self.answered = False
        # Offset in the session's stream of the first byte of the final CRLF.CRLF, once written.
        self.end_at: int | None = None


# A reply that is awaited: the phase that it ends, and the copy; None: it matters to none (RSET, a lone dot).
_Expected = tuple[Phase, Attempt | None]


class Conversation:
    """One session's commands and replies. Its owner moves the bytes and closes the socket."""

    def __init__(self, extensions: dict[str, str]) -> None:
        self.outgoing = wire.Outgoing()
        self.is_over = False
        # Messages that were taken or refused.
        self.finished = 0
        self._extensions = extensions
        self._pipelining = "PIPELINING" in extensions
        self._waiting: deque[_Expected] = deque()
        self._steps: deque[tuple[Phase, bytes]] = deque()
        self._envelope: Attempt | None = None
        self._body: Attempt | None = None
        # Set when the answer to a copy that had begun ended the session, as 421 does.
        self._was_cut = False
        self._needs_reset = False
        self._written = 0
        self._left = 0

    @property
    def is_idle(self) -> bool:
        """True when no reply is awaited."""
        return not self._waiting

    @property
    def takes_next(self) -> bool:
        """True when `begin` may be called."""
        if self.is_over or self._envelope is not None:
            return False
        return self._pipelining or self.is_idle

    @property
    def awaits_final(self) -> bool:
        """True when the next reply decides about a message that was written whole."""
        return not self.outgoing and bool(self._waiting) and self._waiting[0][0] is _FINAL

    def begin(self, attempt: Attempt) -> None:
        """Write the envelope of the next copy, or its first command without PIPELINING."""
        self._envelope = attempt
        attempt.verdict = None
        if self._needs_reset:
            # The last transaction ended without a message: it is still open on the other side.
            self._needs_reset = False
            self._expect(Phase.SESSION, None, b"RSET\r\n")
        mail, rcpt = self._mail(attempt), f"RCPT TO:<{attempt.copy.recipient}>\r\n".encode()
        if self._pipelining:
            self._waiting += ((_MAIL, attempt), (_RCPT, attempt), (_DATA, attempt))
            self._write(mail + rcpt + b"DATA\r\n")
            return
        self._steps = deque([(_MAIL, mail), (_RCPT, rcpt), (_DATA, b"DATA\r\n")])
        self._step()

    def left(self, count: int) -> None:
        """Note that `count` more bytes of `outgoing` went, or may have gone, out of our hands."""
        self._left += count
        self.outgoing.drop(count)

    def may_have_left(self, count: int) -> None:
        """Note that of what is still in `outgoing` the first `count` bytes may be on the wire already."""
        self._left = max(self._left, self._written - len(self.outgoing) + count)

    def receive(self, reply: Reply) -> Outcome | None:
        """Take the next reply; return the outcome of the copy that it decides, if it does."""
        if reply.code == SERVICE_CLOSING or not self._waiting:
            self.is_over = True
        if not self._waiting:
            return None
        phase, attempt = self._waiting.popleft()
        if attempt is None:
            self._continue()
            return None
        # A session that is closed at MAIL is about itself: nothing is known of the copy yet (RFC 5321 3.8).
        attempt.answered = phase is not _MAIL or reply.code != SERVICE_CLOSING
        self._was_cut = self.is_over and attempt.answered
        if phase is _FINAL:
            self._body = None
            self.is_over = self._was_cut = self.is_over or reply.code // 100 == 3
            self.finished += 1
            return smtp_outcomes.outcome(attempt.copy, reply, phase=phase)
        outcome = self._envelope_reply(phase, attempt, reply)
        self.finished += outcome is not None
        return outcome

    def lose(self, reason: str) -> tuple[list[Outcome], list[Attempt]]:
        """The session is gone: the outcomes of its copies, and the copies to try on another session.

        Nothing more may be asked of it.
        A copy is uncertain once the first byte of its final CRLF.CRLF may have left, otherwise
        deferred. One whose MAIL the server did not take has not been refused: it goes to another session.
        """
        self.is_over = True
        outcomes, again = [], []
        for attempt in (self._body, self._envelope):
            if attempt is None:
                continue
            if self._may_move(attempt):
                attempt.moves += 1
                again.append(attempt)
            else:
                outcomes.append(attempt.verdict or smtp_outcomes.lost(attempt.copy, reason, phase=self._phase(attempt)))
        return outcomes, again

    @property
    def was_full(self) -> bool:
        """True when the server ended the session between two messages, as one that limits their number does."""
        between = self._body is None and (self._envelope is None or not self._envelope.answered)
        return between and not self._was_cut and self.finished > 0

    def _may_move(self, attempt: Attempt) -> bool:
        """Whether the server has said nothing of the copy. One that takes nothing at all is asked twice."""
        if attempt is self._body or attempt.answered or attempt.moves >= _MOST_MOVES:
            return False
        return self.finished > 0 or (attempt.verdict is None and not attempt.moves)

    def _phase(self, attempt: Attempt) -> Phase:
        """How far the copy came at most."""
        if attempt.end_at is not None:
            return Phase.FINAL if self._left > attempt.end_at else Phase.BODY
        return next((phase for phase, awaited in self._waiting if awaited is attempt), _DATA)

    def _envelope_reply(self, phase: Phase, attempt: Attempt, reply: Reply) -> Outcome | None:
        kind = reply.code // 100
        # The first digit of the reply that lets a copy go on (RFC 5321 4.3.2).
        is_good = kind == (3 if phase is _DATA else 2)
        if not is_good:
            if kind not in {4, 5}:
                # Commands and replies no longer match each other; nothing later could be trusted.
                self.is_over = True
            if attempt.verdict is None:
                attempt.verdict = smtp_outcomes.outcome(attempt.copy, reply, phase=phase)
        if self.is_over:
            return None
        if phase is not _DATA and (self._pipelining or attempt.verdict is None):
            self._continue()
            return None
        self._envelope = None
        if phase is _DATA and is_good:
            return self._send_body(attempt)
        self._needs_reset = True
        return attempt.verdict

    def _send_body(self, attempt: Attempt) -> Outcome | None:
        if attempt.verdict is not None:
            # The reader was refused, yet the server wants a message: give it an empty one (RFC 2920 3.1).
            self._expect(Phase.SESSION, None, _END)
            return attempt.verdict
        attempt.end_at = self._written + attempt.size - len(b"\r\n")
        self._body = attempt
        self.outgoing.add(attempt.body, attempt.size)
        self._written += attempt.size
        self._expect(_FINAL, attempt, _END)
        return None

    def _continue(self) -> None:
        if not self._pipelining and not self.is_over:
            self._step()

    def _step(self) -> None:
        if self._steps and not self._waiting:
            phase, command = self._steps.popleft()
            self._expect(phase, self._envelope, command)

    def _expect(self, phase: Phase, attempt: Attempt | None, command: bytes) -> None:
        self._waiting.append((phase, attempt))
        self._write(command)

    def _write(self, data: bytes) -> None:
        self.outgoing.add((data,), len(data))
        self._written += len(data)

    def _mail(self, attempt: Attempt) -> bytes:
        command = f"MAIL FROM:<{attempt.copy.envelope_from}>"
        if "SIZE" in self._extensions:
            command += f" SIZE={attempt.size}"
        if not attempt.is_ascii and "8BITMIME" in self._extensions:
            command += " BODY=8BITMIME"
        return f"{command}\r\n".encode()
