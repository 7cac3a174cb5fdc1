"""What a bounce means for a copy and its reader: lost for good, lost this time, or the address with it.

Whose fault it is, is `postal.verdicts`' to say. What a provider makes of it counts only where the
receiving server's own words and codes do not tell: providers mix "no such mailbox", "not wanted" and
"not now" under one word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anymail.signals import RejectReason

from digests import payloads
from postal import verdicts
from postal.verdicts import Judgement, Verdict

SOFT_REASONS: Final = frozenset({RejectReason.TIMED_OUT})

# Anymail's reason -> whether it is about the mailbox, when nothing says more.
MAILBOX_REASONS: Final[Mapping[str, bool]] = {
    RejectReason.INVALID: True,
    RejectReason.BOUNCED: True,
    RejectReason.BLOCKED: False,
    RejectReason.SPAM: False,
    RejectReason.UNSUBSCRIBED: False,
    RejectReason.OTHER: False,
}


@dataclass(frozen=True, slots=True)
class Bounce:
    """`hard`: this copy will not arrive. `about_mailbox`: no copy ever will, so the address is suppressed."""

    hard: bool
    about_mailbox: bool


GONE: Final = Bounce(hard=True, about_mailbox=True)
REFUSED: Final = Bounce(hard=True, about_mailbox=False)
SOFT: Final = Bounce(hard=False, about_mailbox=False)


def of(judgement: Judgement) -> Bounce:
    """What follows from whose fault it is."""
    if judgement.verdict.is_soft:
        return SOFT
    return GONE if judgement.verdict is Verdict.GONE else REFUSED


def judge(*, provider: str, reject_reason: str | None, said: str, described: str = "", payload: object) -> Bounce:
    """What a provider's bounce means; `said` is the receiving server's answer, `payload` the provider's own event.

    `described` is how the provider explains its word. Never raises, whatever the payload looks like. In
    doubt the address is kept.
    """
    judgement = verdicts.judge(words=said)
    if judgement.verdict is not Verdict.UNKNOWN:
        return of(judgement)
    if payloads.is_soft(provider=provider, payload=payload) or reject_reason in SOFT_REASONS:
        return SOFT
    if not MAILBOX_REASONS.get(reject_reason or "", False):
        return REFUSED
    # "Bounced" is a provider's word for many things: its own explanation may still say that it is not this.
    explained = verdicts.judge(words=described).verdict
    return SOFT if explained.is_soft else REFUSED if explained is Verdict.OURS else GONE
