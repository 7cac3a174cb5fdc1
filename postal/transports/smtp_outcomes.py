"""What a server's answer means for a copy: its state, whose fault it is, and whether the mailbox is gone.

An outcome follows from the phase and the reply code (design 6), never from an exception's class; whose
fault a refusal is, from its words and codes (`postal.verdicts`).
"""

from typing import Final

from postal import verdicts
from postal.replies import Reply, clean, remote_id
from postal.transports.base import Copy, Outcome, Phase, State
from postal.verdicts import Verdict

# Commands whose answers speak of the one reader that the copy is for.
_OF_A_READER: Final = frozenset({Phase.RCPT, Phase.DATA, Phase.FINAL})


def outcome(copy: Copy, reply: Reply, *, phase: Phase) -> Outcome:
    """The outcome for the copy to which `reply` was the deciding answer.

    2xx after the final dot is accepted. 4xx and 421 are deferred. 5xx is rejected: `about_us` when it
    speaks of us or answers MAIL, which names no reader; `is_gone` when the mailbox does not exist.
    """
    reason = clean(reply.text)
    kind = reply.code // 100
    if kind == 2 and phase is Phase.FINAL:
        return Outcome(copy.delivery_id, "accepted", phase, reason, reply.label, remote_id(reply.text))
    if kind == 5:
        verdict = verdicts.judge(words=reply.text, code=reply.code, names_reader=phase is not Phase.MAIL).verdict
        ours, gone = verdict is Verdict.OURS, verdict is Verdict.GONE and phase in _OF_A_READER
        return Outcome(copy.delivery_id, "rejected", phase, reason, reply.label, about_us=ours, is_gone=gone)
    if kind == 4:
        return Outcome(copy.delivery_id, "deferred", phase, reason, reply.label)
    return lost(copy, f"The server answered {reply.code} out of turn.", phase=phase)


def lost(copy: Copy, reason: str, *, phase: Phase) -> Outcome:
    """The outcome when no answer will come: uncertain once the end may have left, else deferred."""
    state: State = "uncertain" if phase is Phase.FINAL else "deferred"
    return Outcome(copy.delivery_id, state, phase, clean(reason))
