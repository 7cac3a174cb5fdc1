"""Hearing "too fast": who said it, and what that means for everybody who sends there."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from postal.transports.base import Outcome, Phase

# 421 closes the service (RFC 5321 3.8); X.7.X of a temporary refusal is policy: rates, reputation
# (RFC 3463 3.8; Gmail 421 4.7.28, Yahoo 421 4.7.0 [TSS04], Microsoft 451 4.7.650).
_TOO_FAST: Final = re.compile(r"421\b|4\d\d 4\.7\.\d+")
# For servers that send no enhanced code, or another one (Amazon SES "454 Throttling failure", Postfix "450 4.7.1
# Error: too much mail", Exim "Too many messages").
_TOO_FAST_WORDS: Final = re.compile(
    r"\bthrottl|\btoo (fast|much mail|many (mails|messages|connections|sessions))\b|\brate (limit )?exceeded\b",
    re.IGNORECASE,
)
# Postfix' postgrey and others answer 450 4.7.1 once to everybody: a matter of waiting, not of pace.
_GREYLISTED: Final = re.compile(r"gr[ae]y[\s-]?list", re.IGNORECASE)
# This many mail domains that complain together are one relay that does.
DOMAINS_OF_A_RELAY: Final = 3
LONGEST_HOLD_SECONDS: Final = 86_400


def is_too_fast(outcome: Outcome) -> bool:
    """Whether the answer is about our pace: the copy is deferred and its attempt does not count."""
    if outcome.state != "deferred" or outcome.about_us:
        return False
    if outcome.retry_after is not None and outcome.code:
        return True
    if not outcome.code.startswith("4") or _GREYLISTED.search(outcome.reason):
        return False
    return bool(_TOO_FAST.match(outcome.code) or _TOO_FAST_WORDS.search(outcome.reason))


def is_in_vain(outcome: Outcome) -> bool:
    """Whether the copy was put off for what is not its own: our pace, or a session that was lost under it."""
    if outcome.state != "deferred" or outcome.about_us or outcome.unreachable:
        return False
    return is_too_fast(outcome) or (not outcome.code and outcome.phase is not Phase.LOCAL)


@dataclasses.dataclass(frozen=True, slots=True)
class Complaint:
    """A subject refused `share` of its copies, which were `part` of all; it wants none for `hold` seconds."""

    share: float
    part: float
    hold: float


def complaints(*, outcomes: Sequence[Outcome], domains: Mapping[int, str], route: str) -> dict[str, Complaint]:
    """Which subjects are to be slowed down.

    `domains` gives the mail domain of each delivery, `route` the subject of the relay or provider. A
    refusal that names no reader is the relay's; one of a reader is the reader's mail domain's. A
    session that was refused says that there are enough of them, not that those go too fast.
    """
    holds: dict[str, float] = defaultdict(float)
    refused: Counter[str] = Counter()
    for outcome in outcomes:
        if not is_too_fast(outcome) or (outcome.unreachable and outcome.retry_after is None):
            continue
        subject = route if _speaks_for_itself(outcome) else f"domain:{domains.get(outcome.delivery_id, '')}"
        holds[subject] = max(holds[subject], float(min(outcome.retry_after or 0, LONGEST_HOLD_SECONDS)))
        refused[subject] += 1
    if sum(subject != route for subject in refused) >= DOMAINS_OF_A_RELAY:
        holds, refused = {route: max(holds.values())}, Counter({route: refused.total()})
    handed = Counter(f"domain:{domains.get(outcome.delivery_id, '')}" for outcome in outcomes)
    handed[route] = len(outcomes)
    return {
        subject: Complaint(count / handed[subject], handed[subject] / len(outcomes), holds[subject])
        for subject, count in refused.items()
    }


def _speaks_for_itself(outcome: Outcome) -> bool:
    of_a_reader = {Phase.RCPT, Phase.DATA, Phase.BODY, Phase.FINAL}
    return outcome.phase not in of_a_reader or outcome.code.startswith("421") or outcome.retry_after is not None
