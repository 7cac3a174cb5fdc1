"""A mail that came back -> what it reports about a copy, or that it reports nothing.

Reports for machines (`reports`) are asked first, because they keep each recipient's fate apart; then
what is written for people (`prose`). Whatever else arrives reports nothing: replies, vacation answers,
receipts, advertisements.

Everything here was written by strangers. Nothing in it makes `read` raise.
"""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Any, Final

from postal.notifications import mime, prose, reports
from postal.notifications.mime import Flat
from postal.notifications.reports import MILDNESS, Fate, Kind
from postal.verdicts import Verdict

log = logging.getLogger(__name__)
# It would log what it trips over with a traceback; here that is answered with "reports nothing".
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)

# Bytes that are read. A report comes before the mail that it returns.
LOOKED_AT: Final = 256 * 1024
_FEEDBACK: Final = frozenset({"message/feedback-report"})
_MESSAGE_ID = re.compile(r"^\s*Message-ID:\s*(<[^<>\s]{3,300}>)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Notice:
    """One report about one copy. All texts are foreign and unchecked.

    `fates` holds what became of the mail for each recipient that a delivery report names. `traces` is
    where return paths are looked for, the most reliable first; `returned_id` is the Message-ID of the
    mail that came back.
    """

    kind: Kind
    fates: tuple[Fate, ...] = ()
    traces: tuple[str, ...] = ()
    message_id: str = ""
    returned_id: str = ""
    date: str = ""

    def fate_of(self, is_reader: Callable[[str], bool]) -> Fate:
        """What became of the mail for this reader; where the report names nobody of that name, the mildest."""
        own = [fate for fate in self.fates if any(map(is_reader, fate.recipients))]
        return min(own or self.fates, key=lambda fate: MILDNESS.index(fate.kind))


def read(raw: bytes, *, is_addressed: bool = False) -> Notice | None:
    """What the mail reports; None when that is nothing, or nothing that can be read. Never raises.

    `is_addressed`: it came to the genuine return path of one of our copies. A machine's mail there is
    about that copy, however it is written.
    """
    try:
        return _read(raw[:LOOKED_AT], is_addressed=is_addressed)
    except reports.PassedOn:
        return None
    except Exception as error:  # noqa: BLE001  # a stranger's bytes may make the parsers raise anything
        log.info("a returned mail could not be read (%s)", type(error).__name__)
        return None


def _read(raw: bytes, *, is_addressed: bool) -> Notice | None:
    mail = mime.parse(raw)
    parts = list(mime.leaves(mail))
    feedback = next((part for part in parts if part.kind in _FEEDBACK), None)
    if feedback is not None:
        return _complaint(mail, feedback, mime.returned(parts))
    returned = mime.returned(parts)
    # Outlook.com's programme reports with the mail alone, into which it has written for whom it was.
    if returned.get("X-HmXmrOriginalRecipient"):
        return _notice(mail, Kind.COMPLAINT, returned)
    return _bounce(mail, parts, raw, is_addressed=is_addressed)


def _notice(mail: Message, kind: Kind, returned: Message, **facts: Any) -> Notice:
    ours, theirs = ("\n".join(map(str, one.values())) for one in (mail, returned))
    return Notice(
        kind=kind,
        traces=(ours, str(facts.pop("trace", "")), theirs),
        message_id=str(mail["Message-ID"] or "").strip(),
        returned_id=facts.pop("returned_id", "") or str(returned["Message-ID"] or "").strip(),
        date=facts.pop("date", "") or str(mail["Date"] or ""),
        **facts,
    )


# --- Complaints (RFC 5965) -------------------------------------------------------------------

_FEEDBACK_KINDS: Final = {"abuse": Kind.COMPLAINT, "fraud": Kind.COMPLAINT, "opt-out": Kind.UNSUBSCRIBE}


def _complaint(mail: Flat, report: Flat, returned: Message) -> Notice | None:
    """None for what is not about spam: `not-spam`, `virus`, `auth-failure`, `dmarc`."""
    content = mime.content(report)
    kind = _FEEDBACK_KINDS.get(str(mime.fields(content)["Feedback-Type"] or "").strip().lower())
    return _notice(mail, kind, returned, trace=content) if kind else None


# --- Bounces ---------------------------------------------------------------------------------


def _bounce(mail: Flat, parts: Sequence[Flat], raw: bytes, *, is_addressed: bool) -> Notice | None:
    """What a delivery report says, for machines or for people; None when it is neither."""
    fates = _reported(parts)
    text = mime.prose(parts)
    if not fates and prose.is_of_a_machine(mail, is_addressed=is_addressed):
        fates = _wrapped(parts) or prose.fates(mail, parts, raw, is_addressed=is_addressed)
    if not fates:
        return None
    fates = [_explained(fate, text) for fate in fates]
    kind = min((fate.kind for fate in fates), key=MILDNESS.index)
    return_id = _MESSAGE_ID.search(text)
    returned = mime.returned(parts)
    found_id = str(returned["Message-ID"] or "").strip() or (return_id[1] if return_id else "")
    return _notice(mail, kind, returned, fates=tuple(fates), trace=text, returned_id=found_id)


def _reported(parts: Sequence[Flat]) -> list[Fate]:
    return [fate for part in parts if mime.is_status(part) for fate in reports.read(mime.content(part))]


def _wrapped(parts: Sequence[Flat]) -> list[Fate]:
    """The report of a notice that a gateway put whole into a notice of its own."""
    for part in parts:
        if part.kind == "message/rfc822":
            inner = mime.parse(mime.raw_content(part))
            if prose.is_of_a_machine(inner, is_addressed=False) and (fates := _reported(list(mime.leaves(inner)))):
                return fates
    return []


def _explained(fate: Fate, text: str) -> Fate:
    """The fate with the words of the prose, where the report gives none that are understood."""
    if fate.kind is not Kind.FAILED or (fate.words and fate.judgement.verdict is not Verdict.UNKNOWN):
        return fate
    notice = prose.notice(text)
    about = prose.excerpt(notice, fate.recipients)
    if not about and fate.judgement.verdict is Verdict.UNKNOWN:
        about = notice[: prose.EXCERPT]
    explained = Fate(fate.kind, f"{fate.words} {about}".strip(), fate.status, fate.recipients)
    return fate if explained.judgement.verdict is Verdict.UNKNOWN else explained
