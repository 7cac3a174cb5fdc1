"""Classification of bounces: hard or soft, and whether the address itself is bad.

`postal.verdicts` reads the receiving server's words and codes. The provider's own classification counts
only if these are inconclusive, because providers use one word for "no such mailbox", "not wanted" and
"not now".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anymail.signals import RejectReason

from postal import payloads, verdicts
from postal.verdicts import Judgement, Verdict

SOFT_REASONS: Final = frozenset({RejectReason.TIMED_OUT})

# Anymail's reason -> whether it is about the mailbox. Used when neither the server nor the payload says more.
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
    """`hard`: this copy will not arrive. `about_mailbox`: no copy will, so the address is suppressed."""

    hard: bool
    about_mailbox: bool


GONE: Final = Bounce(hard=True, about_mailbox=True)
REFUSED: Final = Bounce(hard=True, about_mailbox=False)
SOFT: Final = Bounce(hard=False, about_mailbox=False)


def from_judgement(judgement: Judgement) -> Bounce:
    """The bounce that a verdict amounts to."""
    if judgement.verdict.is_soft:
        return SOFT
    return GONE if judgement.verdict is Verdict.GONE else REFUSED


def classify(*, provider: str, reject_reason: str | None, reply: str, description: str = "", payload: object) -> Bounce:
    """Classify a bounce that a provider reports.

    `reply` is the receiving server's reply, `description` the provider's explanation, `payload` its own event.
    Never raises, whatever the payload looks like. In doubt the address is not suppressed.
    """
    judgement = verdicts.judge(words=reply)
    if judgement.verdict is not Verdict.UNKNOWN:
        return from_judgement(judgement)
    if payloads.is_soft(provider=provider, payload=payload) or reject_reason in SOFT_REASONS:
        return SOFT
    if not MAILBOX_REASONS.get(reject_reason or "", False):
        return REFUSED
    # "Bounced" means many things to a provider. Its description may still show that the mailbox is fine.
    explained = verdicts.judge(words=description).verdict
    return SOFT if explained.is_soft else REFUSED if explained is Verdict.OURS else GONE
