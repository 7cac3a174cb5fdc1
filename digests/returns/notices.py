"""A mail that came back -> what it reports about a copy, or that it reports nothing.

Reports for machines (RFC 3464, RFC 6533, RFC 5965) are read with the standard library, because
their codes say how final a bounce is. Notices in prose (qmail, older Exim and Exchange) are put to
flufl.bounce, which knows some twenty dialects. Whatever else arrives reports nothing: replies,
vacation answers, receipts, advertisements.

Everything here was written by strangers. Nothing in it makes `read` raise.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email import errors, header, parser, policy, utils
from email.message import Message
from enum import Enum, auto
from typing import Any, Final, cast

from flufl.bounce import all_failures

log = logging.getLogger(__name__)
# It would log what it trips over with a traceback; here that is answered with "reports nothing".
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)

# Octets that are looked at. A report stands before the mail that it returns.
LOOKED_AT: Final = 256 * 1024
_PROSE: Final = 32 * 1024
_EXCERPT: Final = 400
_MOST_PARTS: Final = 60

_STATUS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_FEEDBACK = frozenset({"message/feedback-report"})
_RETURNED = frozenset({"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"})
_CODE = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_MACHINES = re.compile(r"^(?:mailer-?daemon|mail-?daemon|postmaster|mdaemon|mmdf|uucp|mail delivery)", re.IGNORECASE)
_UNSUBSCRIBE = re.compile(r"unsubscribe-([A-Za-z0-9_.-]{20,1024})")
_MESSAGE_ID = re.compile(r"^\s*Message-ID:\s*(<[^<>\s]{3,300}>)", re.IGNORECASE | re.MULTILINE)
_COPY_BEGINS = re.compile(
    r"^.{0,40}(?:copy of the (?:message|body)|original message|returned message)", re.IGNORECASE | re.MULTILINE
)
# What servers write that give no code; said of the address itself, not of us or the way there.
_NOBODY = re.compile(
    r"(?:unknown|no such|invalid|non-?existent) (?:user|mailbox|recipient|address|local part)|no mailbox here"
    r"|(?:user|mailbox|recipient|address|account) (?:is |was )?(?:unknown|not found|does ?n[o']t exist|disabled)"
    r"|does not exist|doesn't have an? \S{0,40} ?account",
    re.IGNORECASE,
)


class Kind(Enum):
    """What a notice says."""

    FAILED = auto()  # nobody tries any more; the codes say whether anybody ever should
    DELAYED = auto()
    DELIVERED = auto()
    COMPLAINT = auto()
    UNSUBSCRIBE = auto()  # a provider's report that its user wants no more
    ASKED_TO_LEAVE = auto()  # a reader's own mail, as List-Unsubscribe offers it


@dataclass(frozen=True, slots=True)
class Notice:
    """One report about one copy. All texts are foreign and unchecked.

    `said` begins with the status code that counts; `nobody` is true where only the words say that the
    address does not exist. `traces` is where return paths are looked for, the most reliable first;
    `returned_id` is the Message-ID of the mail that came back; `token` that of a reader who leaves.
    """

    kind: Kind
    traces: tuple[str, ...] = ()
    said: str = ""
    nobody: bool = False
    recipients: tuple[str, ...] = ()
    message_id: str = ""
    returned_id: str = ""
    date: str = ""
    token: str = ""


class _ShortHeaders(policy.Compat32):
    """Headers as they stand, cut off: some of the library's readers take quadratic time over long ones."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name[:100], value[:4_000]


class _Flat(Message):
    """A mail in which reports and returned mails are leaves: their encoding is undone, and nothing recurses."""

    def get_content_type(self) -> str:
        kind = super().get_content_type()
        return kind.replace("message/", "application/x-", 1) if kind.startswith("message/") else kind

    @property
    def kind(self) -> str:
        """The content type as it was written."""
        return super().get_content_type()


def read(raw: bytes) -> Notice | None:
    """What the mail reports; None when that is nothing, or nothing that can be read. Never raises."""
    try:
        return _read(raw[:LOOKED_AT])
    except Exception as error:  # noqa: BLE001  # a stranger's bytes may make the parsers raise anything
        log.info("a returned mail could not be read (%s)", type(error).__name__)
        return None


def _read(raw: bytes) -> Notice | None:
    mail = cast("_Flat", parser.BytesParser(_Flat, policy=_ShortHeaders()).parsebytes(raw))
    parts = list(_leaves(mail))
    for kinds, reader in ((_FEEDBACK, _complaint), (_STATUS, _bounce)):
        report = next((part for part in parts if part.kind in kinds), None)
        if report is not None:
            return reader(mail, report, _returned(parts))
    returned = _returned(parts)
    # Outlook.com's programme reports with the mail alone, into which it has written for whom it was.
    if returned.get("X-HmXmrOriginalRecipient"):
        return _notice(mail, Kind.COMPLAINT, returned)
    asked = _UNSUBSCRIBE.search("".join(_text(mail["Subject"]).split()))
    if asked:
        return _notice(mail, Kind.ASKED_TO_LEAVE, Message(), token=asked[1], date=_taken_at(mail))
    return _prose(mail, parts, raw)


def _leaves(mail: _Flat) -> Iterator[_Flat]:
    leaves = (part for part in mail.walk() if isinstance(part, _Flat) and not part.is_multipart())
    for _, part in zip(range(_MOST_PARTS), leaves, strict=False):
        yield part


def _returned(parts: Iterable[_Flat]) -> Message:
    """The headers of the mail that came back; empty when none did."""
    found = next((part for part in parts if part.kind in _RETURNED), None)
    return _fields(_content(found)) if found is not None else Message()


def _content(part: _Flat) -> str:
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _fields(text: str) -> Message:
    return parser.HeaderParser(policy=_ShortHeaders()).parsestr(text.lstrip("\r\n"))


def _text(value: Any) -> str:
    """A header as a person reads it, or as it stands where it cannot be decoded."""
    raw = str(value or "")
    try:
        return str(header.make_header(header.decode_header(raw)))
    except (ValueError, LookupError, errors.MessageError):
        return raw


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


def _taken_at(mail: Message) -> str:
    """When our own mail server took the mail: readers' clocks are not to be relied on (RFC 5321 4.4)."""
    return str(mail["Received"] or "").rpartition(";")[2].strip()


# --- Complaints (RFC 5965) -------------------------------------------------------------------

_FEEDBACK_KINDS: Final = {"abuse": Kind.COMPLAINT, "fraud": Kind.COMPLAINT, "opt-out": Kind.UNSUBSCRIBE}


def _complaint(mail: _Flat, report: _Flat, returned: Message) -> Notice | None:
    """None for what is not about spam: `not-spam`, `virus`, `auth-failure`, `dmarc`."""
    content = _content(report)
    kind = _FEEDBACK_KINDS.get(str(_fields(content)["Feedback-Type"] or "").strip().lower())
    return _notice(mail, kind, returned, trace=content) if kind else None


# --- Delivery status (RFC 3464, RFC 6533) ----------------------------------------------------

_ACTIONS: Final = {"failed": Kind.FAILED, "delayed": Kind.DELAYED, "delivered": Kind.DELIVERED}
# Of several recipients' fates in one report the mildest counts: in doubt an address is kept.
_MILDNESS: Final = (Kind.DELIVERED, Kind.DELAYED, Kind.FAILED)


def _bounce(mail: _Flat, report: _Flat, returned: Message) -> Notice | None:
    """None when mail was only relayed or expanded, which says nothing of its arrival."""
    blocks = [_fields(text) for text in re.split(r"\r?\n[ \t]*\r?\n", _content(report))[:_MOST_PARTS]]
    fates = [(kind, block) for block in blocks if (kind := _ACTIONS.get(_word(block["Action"])))]
    if not fates:
        return None
    kind, block = min(fates, key=lambda fate: _MILDNESS.index(fate[0]))
    said = _said(block)
    recipients = tuple(filter(None, (_address(block[name]) for name in ("Original-Recipient", "Final-Recipient"))))
    return _notice(mail, kind, returned, said=said, nobody=bool(_NOBODY.search(said)), recipients=recipients)


def _word(value: Any) -> str:
    words = str(value or "").split()
    return words[0].strip(";,").lower() if words else ""


def _said(block: Message) -> str:
    """Status and diagnosis, the more telling code first: x.0.0 says no more than "no"."""
    found = _CODE.search(str(block["Status"] or ""))
    status = found[0] if found else ""
    diagnosis = " ".join(_text(block["Diagnostic-Code"]).split())
    _, mark, rest = diagnosis.partition(";")
    words = (rest if mark else diagnosis).strip()
    return " ".join(filter(None, (words, status) if status.endswith(".0.0") else (status, words)))


def _address(value: Any) -> str:
    """`rfc822; name@domain` or `utf-8; name@domain`, in which RFC 6533 writes letters as \\x{6A21}."""
    kind, mark, rest = _text(value).partition(";")
    plain = re.sub(r"\\x\{([0-9A-Fa-f]{1,6})\}", _letter, (rest if mark else kind).strip())
    return utils.parseaddr(plain)[1][:320]


def _letter(found: re.Match[str]) -> str:
    number = int(found[1], 16)
    return chr(number) if number < 0x110000 else ""


# --- Prose -----------------------------------------------------------------------------------


def _prose(mail: _Flat, parts: list[_Flat], raw: bytes) -> Notice | None:
    """Only a machine's word counts: a person who quotes a bounce has not bounced."""
    _, sender = utils.parseaddr(_text(mail["From"]))
    name = _text(mail["From"])
    if not (_MACHINES.match(sender) or _MACHINES.match(name) or mail["X-Failed-Recipients"]):
        return None
    temporary, permanent = all_failures(parser.BytesParser(policy=_ShortHeaders()).parsebytes(raw[:_PROSE]))
    if not (temporary or permanent):
        return None
    recipients = tuple(one.decode("ascii", "replace") for one in sorted(permanent or temporary))[:_MOST_PARTS]
    text = next((_content(part) for part in parts if part.kind == "text/plain"), "")[:_PROSE]
    said = _excerpt(text, recipients)
    return_id = _MESSAGE_ID.search(text)
    return _notice(
        mail,
        Kind.FAILED if permanent else Kind.DELAYED,
        _returned(parts),
        trace=text,
        said=said,
        nobody=bool(_NOBODY.search(said)),
        recipients=recipients,
        returned_id=return_id[1] if return_id else "",
    )


def _excerpt(text: str, recipients: tuple[str, ...]) -> str:
    """What the notice says of the address, before the mail that it returns."""
    copy = _COPY_BEGINS.search(text)
    words = text[: copy.start()] if copy else text
    starts = [at for one in recipients if (at := words.lower().find(one.lower())) >= 0]
    begin = min(starts, default=0)
    return " ".join(words[begin : begin + 2 * _EXCERPT].split())[:_EXCERPT]
