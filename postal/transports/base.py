"""The protocol between a lane, which drives, and a transport, which takes copies and reports their outcomes."""

import enum
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, Protocol

from core.reasons import Reason
from mailkit.segments import CompiledMessage
from postal.answers import Cause

State = Literal["accepted", "deferred", "rejected", "uncertain"]
# The whole message; its pieces as SMTP's DATA wants them; the compiled letter and the reader's values.
Needs = Literal["payload", "stuffed", "merge"]


class Phase(enum.StrEnum):
    """How far a copy had come when its outcome was decided. The outcome follows from this."""

    CONNECT = "connect"
    SESSION = "session"  # greeting, EHLO, STARTTLS, AUTH: nothing of any copy has left
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"  # part of the message has left, its end certainly not
    FINAL = "final"  # the end may have left: only the server's answer tells
    LOCAL = "local"  # refused here; no server was asked


class Copy(NamedTuple):
    """One copy for one reader, ready to leave.

    `payload` is the whole message (local; SMTP takes it too); `stuffed` is the same in pieces (smtp), ASCII with CRLF
    line ends only, one at its end, and leading dots doubled; `message` and `merge` are the compiled letter
    and this reader's slot values (esp: the provider joins them). `recipient` and
    `envelope_from` are bare addresses; `envelope_from` may be empty (RFC 5321 4.5.5).
    """

    delivery_id: int
    delivery_uuid: str
    envelope_from: str
    recipient: str
    payload: bytes | None = None
    stuffed: Sequence[bytes] = ()
    message: CompiledMessage | None = None
    merge: Mapping[str, str] = MappingProxyType({})


class Outcome(NamedTuple):
    """What became of one copy. Holds no address: `reason` is masked and at most 200 characters.

    accepted    the other side has taken responsibility; `remote_id` is its name for the copy
    deferred    it certainly has not, and may later; not before `retry_after` seconds if given
    rejected    it certainly has not and will not
    uncertain   it may have: nobody but an event or an operator may say more

    `about_us` is true when the refusal speaks of the sender (credentials, policy, size), not of
    this reader: it feeds the breaker and marks no reader as bounced, whatever `state` is. `is_gone` is
    true when the reader's own server says that the mailbox does not exist.
    `code` is the SMTP or HTTP code with the enhanced one, such as "550 5.7.26", or empty.
    """

    delivery_id: int
    state: State
    phase: Phase
    reason: str = ""
    code: str = ""
    remote_id: str = ""
    about_us: bool = False
    retry_after: int | None = None
    is_gone: bool = False
    # What an answer of the server means (`postal.answers.Cause`), where it was judged.
    cause: str = ""

    @property
    def why(self) -> Reason:
        """As it is stored: of an accepted copy nothing."""
        if self.state == "accepted":
            return Reason()
        return Reason(self.cause or _cause(self), {"said": self.reason} if self.reason else {})

    @property
    def unreachable(self) -> bool:
        """True when the copy never left because no session with the server came about."""
        return self.state == "deferred" and self.phase in {Phase.CONNECT, Phase.SESSION}

    @property
    def found_nobody(self) -> bool:
        """True when the copy never left because the server is away, or too busy to begin: it says nothing of us."""
        return self.unreachable and not self.about_us and not self.code.startswith("5")


def _cause(outcome: Outcome) -> Cause:
    """What follows from how far the copy came, where no answer was judged."""
    if outcome.state == "uncertain":
        return Cause.ANSWER_LOST
    if outcome.phase is Phase.LOCAL:
        return Cause.NOT_HANDED_OVER
    if outcome.phase is Phase.CONNECT:
        return Cause.NOT_REACHED
    if outcome.phase is Phase.SESSION:
        return Cause.NO_SESSION
    if outcome.phase is Phase.FINAL:
        return Cause.PROVIDER_ANSWERED
    return Cause.REFUSED if outcome.state == "rejected" else Cause.CONNECTION_LOST


def nobody_answered(outcomes: Sequence[Outcome]) -> bool:
    """True when no session came about for some of the copies, and no copy was answered at all."""
    return any(one.found_nobody for one in outcomes) and all(
        one.found_nobody or (one.state in {"deferred", "uncertain"} and not one.code) for one in outcomes
    )


ASLEEP: Final = "The process slept for longer than it may hold a copy."


def asleep(copy: Copy) -> Outcome:
    """The outcome of a copy that was held back because its lease was over."""
    return Outcome(copy.delivery_id, "deferred", Phase.LOCAL, ASLEEP)


class Transport(Protocol):
    """One route for mail. An instance belongs to one lane in one process and is not thread-safe.

    The lane drives: it asks how many copies are wanted (`ready`), gives them (`submit`), and collects what
    became of them (`results`), until every copy has its outcome.

    A transport is made with the lane's `Lease`. Once that is over, as after a long sleep of the process,
    nothing of any copy may leave any more: `results` then has the outcome of all copies at hand, `deferred` for
    what has not left and `uncertain` for what may have.
    """

    needs: Needs
    """Which of a copy's forms `submit` reads; the others may be left out."""

    def ready(self) -> int:
        """How many further copies may be submitted now; 0 while there is enough at hand, or no server to take them.

        At most COPIES_IN_FLIGHT, and never 0 when nothing is at hand.
        """
        ...

    def submit(self, copies: Sequence[Copy]) -> None:
        """Take the copies, whose attempts are committed. Waits for no server."""
        ...

    def results(self, timeout: float) -> list[Outcome]:
        """The outcomes that have become known since the last call, in any order.

        Waits until there is one, at most `timeout` seconds, and not at all when nothing is at hand. Each
        submitted copy gets exactly one outcome, whatever happens. Nothing about one reader, server or network
        raises; an exception means a fault in the program, and copies without an outcome then are `uncertain`.
        """
        ...

    def close(self) -> None:
        """Close the connections, politely (QUIT) where nothing is under way. Never raises; may be called again.

        Copies that have no outcome yet are `uncertain`.
        """
