"""What a server's answer means for a copy: literal tables, each line with its source.

An outcome follows from the phase and the reply code (design 6), never from an exception's class.
"""

import re
from typing import Final

from digests.sending.transports.base import Copy, Outcome, Phase, State
from postal.replies import Reply, clean, remote_id

# Codes that speak of the sender, whoever the reader is.
ABOUT_US_CODES: Final = {
    "530": "authentication required (RFC 4954 6)",
    "534": "authentication mechanism too weak (RFC 4954 6)",
    "535": "authentication credentials invalid (RFC 4954 6)",
    "538": "encryption required for this mechanism (RFC 4954 6)",
    "552": "message exceeds its size limit (RFC 1870 6.1)",
}
# Enhanced codes (RFC 3463; registry "SMTP Enhanced Status Codes") that speak of the sender. So does the whole
# class of security and policy, 5.7.*, but for the codes of the next table: authentication (RFC 4954), SPF, DKIM,
# DMARC and reverse DNS (RFC 7372), null MX (RFC 7505), floods (RFC 8997), and what the large houses make of it
# (Gmail 5.7.25 to 5.7.30, Yahoo 5.7.9, Exchange Online 5.7.57, Microsoft 5.7.509, 5.7.606 to 5.7.649, 5.7.750).
ABOUT_US_ENHANCED: Final = {
    "5.1.7": "bad sender's address syntax (RFC 3463)",
    "5.1.8": "bad sender's system address (RFC 3463)",
    "5.2.3": "message longer than the administrative limit (RFC 3463)",
    "5.3.4": "message too big for the system (RFC 3463)",
}
# Enhanced codes of the 552 and of the class 5.7.* that speak of the reader after all.
ABOUT_READER_ENHANCED: Final = {
    "5.2.2": "mailbox full (RFC 3463)",
    "5.7.2": "mailing list expansion prohibited (RFC 3463)",
    "5.7.13": "user account disabled (RFC 5248)",
    "5.7.17": "mailbox owner has changed (RFC 7293)",
    "5.7.18": "domain owner has changed (RFC 7293)",
    "5.7.124": "Exchange Online: sender not in the group's allowed senders",
    "5.7.129": "Exchange Online: the reader takes mail from listed senders only",
    "5.7.133": "Exchange Online: the group takes mail from inside only",
    "5.7.134": "Exchange Online: the mailbox takes mail from inside only",
    "5.7.135": "Exchange Online: the public folder takes mail from inside only",
    "5.7.136": "Exchange Online: the mail user takes mail from inside only",
}
# For servers that send no enhanced code.
_ABOUT_US_WORDS: Final = re.compile(
    r"\b(spf|dkim|dmarc|spamhaus|block\s?list|black\s?list|relay(ing)? (access )?(denied|not)|"
    r"authentication required|must authenticate|reverse dns|ptr record)",
    re.IGNORECASE,
)


def outcome(copy: Copy, reply: Reply, *, phase: Phase) -> Outcome:
    """The outcome for the copy to which `reply` was the deciding answer.

    2xx after the final dot is accepted. 4xx and 421 are deferred. 5xx is rejected, and
    `about_us` when the tables say so or when it answers MAIL, which names no reader.
    """
    reason = clean(reply.text)
    kind = reply.code // 100
    if kind == 2 and phase is Phase.FINAL:
        return Outcome(copy.delivery_id, "accepted", phase, reason, reply.label, remote_id(reply.text))
    if kind == 5:
        ours = phase is Phase.MAIL or is_about_us(reply)
        return Outcome(copy.delivery_id, "rejected", phase, reason, reply.label, about_us=ours)
    if kind == 4:
        return Outcome(copy.delivery_id, "deferred", phase, reason, reply.label)
    return lost(copy, f"The server answered {reply.code} out of turn.", phase=phase)


def lost(copy: Copy, reason: str, *, phase: Phase) -> Outcome:
    """The outcome when no answer will come: uncertain once the end may have left, else deferred."""
    state: State = "uncertain" if phase is Phase.FINAL else "deferred"
    return Outcome(copy.delivery_id, state, phase, clean(reason))


def is_about_us(reply: Reply) -> bool:
    """True when this permanent refusal speaks of the sender rather than of the reader."""
    if reply.enhanced in ABOUT_READER_ENHANCED:
        return False
    if reply.enhanced in ABOUT_US_ENHANCED or str(reply.code) in ABOUT_US_CODES:
        return True
    if reply.enhanced.startswith("5.7."):
        return True
    return not reply.enhanced.startswith("5.1.") and bool(_ABOUT_US_WORDS.search(reply.text))
