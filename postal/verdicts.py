"""Whose fault a refusal is: one rule for answers on our wire, letters, returned mail and webhooks.

Words are asked before codes, and the reader's own server before one that reports about it: a relay or a
provider guesses a status for what it heard, and a 5.1.1 beside "your address is on our block list"
is such a guess. Words about us outrank everything, since the reader's mailbox may be fine. Only
`Verdict.GONE` suppresses an address; in doubt it is another one.
"""

import enum
import functools
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from postal import phrases


class Verdict(enum.Enum):
    """Why mail was refused."""

    GONE = "the mailbox does not exist"
    FULL = "the mailbox is full"
    OURS = "the refusal is about us"
    UNWANTED = "the reader's own rules refuse it"
    PASSING = "something that may pass, on their side or on the way there"
    GIVEN_UP = "nobody could be reached, or for too long"
    UNKNOWN = "refused for a reason that is not understood"

    @property
    def is_soft(self) -> bool:
        """True when another copy may well arrive."""
        return self in {Verdict.FULL, Verdict.PASSING, Verdict.GIVEN_UP}


class Judgement(NamedTuple):
    """A verdict and what it rests on: the name of a table's line, or a code."""

    verdict: Verdict
    evidence: str


# RFC 3463, the IANA registry of enhanced status codes, and what the large houses make of it: codes that
# decide where no words do. A code that is not here says no more than "no" (5.0.0, 5.5.0, 5.1.0).
CODES: Final[Mapping[str, Verdict]] = {
    "1.1": Verdict.GONE,  # bad destination mailbox address
    "1.2": Verdict.GONE,  # bad destination system address
    "1.3": Verdict.GONE,  # bad destination mailbox address syntax
    "1.6": Verdict.GONE,  # the mailbox has moved, no forwarding address
    "1.7": Verdict.OURS,  # bad sender's mailbox address syntax
    "1.8": Verdict.OURS,  # bad sender's system address
    "1.10": Verdict.GONE,  # recipient address has null MX (RFC 7505)
    "1.351": Verdict.GONE,  # Exchange Online: the remote server returned unknown recipient
    "2.1": Verdict.GONE,  # mailbox disabled, not accepting messages
    "2.2": Verdict.FULL,
    "2.3": Verdict.OURS,  # message longer than the administrative limit
    "3.0": Verdict.PASSING,  # other or undefined mail system status
    "3.1": Verdict.FULL,  # mail system full
    "3.2": Verdict.PASSING,  # system not accepting network messages
    "3.4": Verdict.OURS,  # message too big for the system
    "3.5": Verdict.PASSING,  # system incorrectly configured
    "7.2": Verdict.UNWANTED,  # mailing list expansion prohibited
    "7.13": Verdict.GONE,  # user account disabled (RFC 5248)
    "7.17": Verdict.GONE,  # mailbox owner has changed (RFC 7293)
    "7.18": Verdict.GONE,  # domain owner has changed (RFC 7293)
    # Exchange Online: readers, groups and folders that take mail from listed senders or from inside only.
    "7.124": Verdict.UNWANTED,
    "7.129": Verdict.UNWANTED,
    "7.133": Verdict.UNWANTED,
    "7.134": Verdict.UNWANTED,
    "7.135": Verdict.UNWANTED,
    "7.136": Verdict.UNWANTED,
}
# Whole subjects: routing and network, content, security and policy. 5.7.* is authentication (RFC 4954), SPF, DKIM,
# DMARC and reverse DNS (RFC 7372), floods (RFC 8997), Gmail 5.7.25 to 5.7.30, Yahoo 5.7.9, Microsoft 5.7.509 ...
SUBJECTS: Final[Mapping[str, Verdict]] = {"4": Verdict.GIVEN_UP, "6": Verdict.OURS, "7": Verdict.OURS}
# For servers that send no enhanced code.
REPLY_CODES: Final[Mapping[int, Verdict]] = {
    521: Verdict.PASSING,  # the host accepts no mail (RFC 7504); it may be another one tomorrow
    530: Verdict.OURS,  # authentication required (RFC 4954 6)
    534: Verdict.OURS,  # authentication mechanism too weak
    535: Verdict.OURS,  # authentication credentials invalid
    538: Verdict.OURS,  # encryption required for this mechanism
    541: Verdict.OURS,  # refused by a filter
    552: Verdict.OURS,  # message exceeds its size limit (RFC 1870 6.1)
    556: Verdict.GONE,  # the domain does not accept mail (RFC 7504)
}
# Beside these words a code of the class "bad address" means that there is no such reader: Microsoft's directory
# block (5.4.1), Cox and Charter (5.1.0).
_REJECTED_ADDRESS: Final = re.compile(r"(?:recipient|address|recipient address)\b.{0,20}\brejected")
_ADDRESS_CODES: Final = frozenset({"1.0", "4.1"})

_LONGEST: Final = 2_000
_ENHANCED = re.compile(r"(?<![\d.])([45])\.(\d{1,3}\.\d{1,3})(?!\.?\d)")
_REPLY = re.compile(
    r"(?<![\d.:/#-])([45][0-5]\d)(?=[ \-\t]|$)(?! ?(?:kb|mb|bytes|seconds|messages|minutes|hours|days))"
)
# Links, addresses, host names and numbers of the net speak of nobody.
_NAMES = re.compile(r"https?://\S+|[^\s<>]*@[\w-]*(?:\.[\w-]+)*|\[[\d.:a-f]+\]|\b(?:[\w-]+\.)+[\w-]+\b", re.IGNORECASE)


def judge(*, words: str, code: int | None = None, status: str = "", names_reader: bool = True) -> Judgement:
    """Whose fault it is that mail was refused. Pure; never raises, whatever the texts hold.

    `words` is what the server that refused wrote, with its codes where they are in the text; `code` is
    its reply code where that is known apart from the text. `status` is the enhanced code that somebody
    between reports, and counts only where the words and their codes say nothing. `names_reader` is
    False for an answer to a command that names no reader (MAIL FROM): whatever it says is about us.
    """
    words = words[:_LONGEST]
    enhanced = _ENHANCED.search(words)
    reply = code or _reply_code(words)
    is_passing = reply // 100 == 4 if reply else bool(enhanced and enhanced[1] == "4")
    if not names_reader and not is_passing:
        return Judgement(Verdict.OURS, "an answer that names no reader")
    detail = enhanced[2] if enhanced else ""
    is_passing = is_passing or (not reply and enhanced is None and status.startswith("4."))
    text = normalised(words)
    return (
        _by_clear_words(words, text, detail, reply, is_passing=is_passing)
        or _by_code(enhanced)
        or _by_other_words(text)
        or (_by_code(_ENHANCED.search(status)) if reply // 100 != 4 else None)
        or _by_reply(reply)
    )


# Ids of queues and sessions make every answer another one.
_IDS = re.compile(r"\b(?=[\w-]*\d)[\w-]{8,}\b")


def normalised(text: str) -> str:
    """Lower case, blanks as single ones, straight quotes, and without addresses, host names, links and ids."""
    plain = text.lower().replace("\u2019", "'").replace("`", "'")
    return " ".join(_IDS.sub(" ", _NAMES.sub(" ", plain)).replace("<", " ").replace(">", " ").split())


def _by_clear_words(words: str, text: str, detail: str, reply: int, *, is_passing: bool) -> Judgement | None:
    ours = _match("OURS", text) or ("block list" if phrases.OURS_NAMES.search(words) else "")
    full = _match("FULL", text)
    # A mailbox over its quota and a sender over theirs are described in much the same words.
    is_theirs = ours in {"", "content", "policy"} or (ours == "pace" and phrases.THEIR_SPACE.search(text))
    if full and (is_theirs or CODES.get(detail) is Verdict.FULL):
        return Judgement(Verdict.FULL, full)
    if ours:
        return Judgement(Verdict.OURS, ours)
    if unwanted := _match("UNWANTED", text):
        return Judgement(Verdict.UNWANTED, unwanted)
    if passing := _match("PASSING", text):
        return Judgement(Verdict.PASSING, passing)
    if CODES.get(detail) is Verdict.FULL:
        return Judgement(Verdict.FULL, detail)
    gone = _match("GONE", text) or ("no such mailbox" if phrases.GONE_NAMES.search(words) else "")
    if not gone and detail in _ADDRESS_CODES and _REJECTED_ADDRESS.search(text):
        gone = detail
    if not gone and not phrases.NAME_SERVICE.search(text):
        gone = _match("NO_DOMAIN", text)
    if not gone:
        return None
    # A server that says "unknown" and "try again" in one is not sure, and 552 is about space.
    if is_passing:
        return Judgement(Verdict.PASSING, gone)
    return Judgement(Verdict.FULL, "552") if reply == 552 else Judgement(Verdict.GONE, gone)


def _by_code(code: re.Match[str] | None) -> Judgement | None:
    """What an enhanced code decides; None for one that says no more than "no"."""
    if code is None:
        return None
    if code[1] == "4":
        return Judgement(Verdict.PASSING, code[0])
    subject, _, _ = code[2].partition(".")
    verdict = CODES.get(code[2]) or SUBJECTS.get(subject)
    return Judgement(verdict, code[0]) if verdict else None


def _by_other_words(text: str) -> Judgement | None:
    tables = (
        (Verdict.GIVEN_UP, "GIVEN_UP"),
        (Verdict.OURS, "WEAKLY_OURS"),
        (Verdict.PASSING, "LATER"),
    )
    return next((Judgement(verdict, kind) for verdict, table in tables if (kind := _match(table, text))), None)


def _by_reply(reply: int) -> Judgement:
    verdict = Verdict.PASSING if reply // 100 == 4 else REPLY_CODES.get(reply, Verdict.UNKNOWN)
    return Judgement(verdict, str(reply or ""))


def _reply_code(words: str) -> int:
    reply = _REPLY.search(words)
    return int(reply[1]) if reply else 0


@functools.lru_cache(maxsize=8_192)
def _match(table: str, text: str) -> str:
    """The name of the first line of the table of that name that the text matches, or an empty string.

    A server says the same to all whom it refuses, and asking costs a lane more than sending a copy.
    """
    patterns: phrases.Patterns = getattr(phrases, table)
    return next((name for name, pattern in patterns.items() if pattern.search(text)), "")
