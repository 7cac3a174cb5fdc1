"""Mails of strangers, taken apart without recursion, without long headers, and with every text readable."""

import html
import re
from collections.abc import Iterator, Sequence
from email import errors, header, parser, policy, utils
from email.message import Message
from typing import Any, Final, cast

MOST_PARTS: Final = 60
RETURNED: Final = frozenset({"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"})
_STATUS: Final = frozenset({"message/delivery-status", "message/global-delivery-status"})
# Reports that a gateway renamed on their way: Exchange's ATT00001.dat, a details.txt beside the prose.
_RENAMED: Final = re.compile(
    r"^(?:att\d+\.(?:dat|txt)|(?:details|delivery-?status|report)\.(?:txt|dat))$", re.IGNORECASE
)
_TAGS: Final = re.compile(
    r"<(?:style|script)\b.{0,20000}?</|<br\s*/?>|</(?:p|div|tr|li|h\d)>|<[^<>]{0,2000}>", re.IGNORECASE | re.DOTALL
)
_JAPANESE: Final = re.compile(rb"\x1b\$[@B]|\x1b\([BJ]")


class ShortHeaders(policy.Compat32):
    """Headers as they are, cut off: some of the library's readers take quadratic time over long ones."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name[:100], value[:4_000]

    def header_fetch_parse(self, name: str, value: str) -> str:
        """Letters beyond ASCII that nobody encoded are taken as UTF-8."""
        return value.encode("ascii", "surrogateescape").decode("utf-8", "replace") if not value.isascii() else value


class Flat(Message):
    """A mail in which reports and returned mails are leaves: their encoding is undone, and nothing recurses."""

    def get_content_type(self) -> str:
        kind = super().get_content_type()
        return kind.replace("message/", "application/x-", 1) if kind.startswith("message/") else kind

    @property
    def kind(self) -> str:
        """The content type as it was written."""
        return super().get_content_type()


def parse(raw: bytes) -> Flat:
    """The mail, flat."""
    return cast("Flat", parser.BytesParser(Flat, policy=ShortHeaders()).parsebytes(raw))


def leaves(mail: Flat) -> Iterator[Flat]:
    """The parts that hold no parts, MOST_PARTS of them."""
    leaf_parts = (part for part in mail.walk() if isinstance(part, Flat) and not part.is_multipart())
    for _, part in zip(range(MOST_PARTS), leaf_parts, strict=False):
        yield part


def is_status(part: Flat) -> bool:
    """Whether the part is a delivery report for machines, under whatever name it arrived."""
    return part.kind in _STATUS or bool(_RENAMED.match(part.get_filename() or "") and part.kind not in RETURNED)


def returned(parts: Sequence[Flat]) -> Message:
    """The headers of the mail that came back; empty when none did."""
    for part in parts:
        if part.kind in RETURNED or (part.get_filename() or "").lower().endswith(".eml"):
            return fields(content(part))
        # Some dialects give the mail that they return no type of its own: its headers are those of the part.
        if _is_mail(part, parts) and part.get("From"):
            return part
    return Message()


def raw_content(part: Flat) -> bytes:
    """The part's bytes without their transfer encoding."""
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def content(part: Flat) -> str:
    """The part's text in the charset that it names, or else in the first that fits; never raises."""
    raw = raw_content(part)
    charset = str(part.get_content_charset("") or "")
    candidates = ["iso-2022-jp"] if _JAPANESE.search(raw) and charset in {"", "us-ascii"} else []
    for candidate in [*candidates, charset, "utf-8", "cp1252"]:
        try:
            return raw.decode(candidate or "utf-8")
        except (UnicodeDecodeError, LookupError, ValueError):
            continue
    return raw.decode("utf-8", "replace")


def _is_mail(part: Flat, parts: Sequence[Flat]) -> bool:
    """Whether the part begins with a mail's headers; the only part of a mail has that mail's own."""
    return len(parts) > 1 and part.get("Received") is not None


def prose(parts: Sequence[Flat]) -> str:
    """What the mail says to a person, plain text before HTML; a part without a type is plain text."""
    for kind in ("text/plain", "text/html"):
        texts = [content(part) for part in parts if part.kind == kind and not _is_mail(part, parts)]
        if any(text.strip() for text in texts):
            joined = "\n".join(texts)
            return joined if kind == "text/plain" else plain(joined)
    return ""


def plain(markup: str) -> str:
    """The words of HTML, each block on a line of its own."""
    return html.unescape(_TAGS.sub("\n", markup[:200_000]))


def fields(text: str) -> Message:
    """The headers at the beginning of a text."""
    return parser.HeaderParser(policy=ShortHeaders()).parsestr(text.lstrip("\r\n"))


def text(value: Any) -> str:
    """A header as a person reads it, or as it was written where it cannot be decoded."""
    raw = str(value or "")
    try:
        return str(header.make_header(header.decode_header(raw)))
    except (ValueError, LookupError, errors.MessageError):
        return raw


def address(value: str) -> str:
    """The bare address in a header's value, or an empty string."""
    return utils.parseaddr(value)[1][:320]


def taken_at(mail: Message) -> str:
    """When our own mail server took the mail: readers' clocks are not to be relied on (RFC 5321 4.4)."""
    return str(mail["Received"] or "").rpartition(";")[2].strip()
