"""What a server's answer means for a copy: its state, whose fault it is, and whether the mailbox is gone.

An outcome follows from the phase and the reply (design 6, `postal.answers`), never from an exception's class.
"""

from typing import Final

from postal import answers
from postal.replies import Reply, clean, remote_id
from postal.transports.base import Copy, Outcome, Phase, State

# Commands whose answers speak of the one reader that the copy is for.
_OF_A_READER: Final = frozenset({Phase.RCPT, Phase.DATA, Phase.FINAL})


def outcome(copy: Copy, reply: Reply, *, phase: Phase) -> Outcome:
    """The outcome for the copy to which `reply` was the deciding answer.

    2xx after the final dot is accepted. 4xx is deferred. A 421 at MAIL decides no copy: another session takes it
    (`conversation`). 5xx is rejected: `about_us` when it
    speaks of us or answers MAIL, which names no reader; `is_gone` when the mailbox does not exist.
    """
    meaning = answers.of_reply(reply, names_reader=phase is not Phase.MAIL)
    if meaning is None or (meaning.state == "accepted" and phase is not Phase.FINAL):
        return lost(copy, f"The server answered {reply.code} out of turn.", phase=phase)
    name = remote_id(reply.text) if meaning.state == "accepted" else ""
    return Outcome(
        copy.delivery_id,
        meaning.state,
        phase,
        clean(reply.text),
        reply.label,
        name,
        about_us=meaning.about_us,
        is_gone=meaning.is_gone and phase in _OF_A_READER,
        cause=meaning.reason.code,
    )


def lost(copy: Copy, reason: str, *, phase: Phase) -> Outcome:
    """The outcome when no answer will come: uncertain once the end may have left, else deferred."""
    state: State = "uncertain" if phase is Phase.FINAL else "deferred"
    return Outcome(copy.delivery_id, state, phase, clean(reason))
