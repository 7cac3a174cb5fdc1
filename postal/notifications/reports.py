"""Delivery reports for machines (RFC 3464, RFC 6533), as their writers really write them.

A blank before the colon, an explanation that goes on without being indented, a recipient's fields
parted by an empty line, the whole report as plain text: all of these are sent by large houses, and
the standard library's reader of headers stops at the first of them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from postal import verdicts
from postal.notifications import mime
from postal.verdicts import Judgement

_FIELD: Final = re.compile(
    r"[ \t]{0,3}(original-envelope-id|reporting-mta|dsn-gateway|received-from-mta|arrival-date|original-recipient|"
    r"final-recipient"
    r"|action|status|remote-mta|diagnostic-code|last-attempt-date|final-log-id|will-retry-until|"
    r"x-[a-z0-9-]{1,60})[ \t]*:(.*)",
    re.IGNORECASE,
)
_LONGEST_VALUE: Final = 4_000
_MOST_FATES: Final = 60
_OF_A_RECIPIENT: Final = frozenset({"action", "final-recipient", "original-recipient"})
_CODE = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_MTA_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,20}[ \t]*;")

Fields = dict[str, str]


class Kind(Enum):
    """What is reported of a copy."""

    FAILED = auto()  # nobody tries any more; the words say whether anybody ever should
    DELAYED = auto()
    DELIVERED = auto()
    COMPLAINT = auto()
    UNSUBSCRIBE = auto()  # a provider's report that its user wants no more


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of the mail for one recipient. All texts are foreign and unchecked.

    `words` is what the server that refused said, `status` what the reporter made of it; `recipients` are
    the names under which the recipient is reported, none where nobody is named.
    """

    kind: Kind
    words: str = ""
    status: str = ""
    recipients: tuple[str, ...] = ()

    @property
    def judgement(self) -> Judgement:
        """Whose fault it is that the mail failed."""
        return verdicts.judge(words=self.words, status=self.status)


_ACTIONS: Final[Mapping[str, Kind]] = {
    "failed": Kind.FAILED,
    "failure": Kind.FAILED,
    "expired": Kind.FAILED,
    "delayed": Kind.DELAYED,
    "delivered": Kind.DELIVERED,
}
# Mail that was passed on or spread over a list: it says nothing of its arrival.
_SILENT: Final = frozenset({"relayed", "expanded"})
# Of several recipients' fates the mildest counts: in doubt an address is kept.
MILDNESS: Final = (Kind.DELIVERED, Kind.DELAYED, Kind.FAILED)


class PassedOn(Exception):
    """The report says that the mail was relayed or expanded, and no more."""


def read(text: str) -> list[Fate]:
    """The fates in a report; none when it tells of no recipient. On failure: PassedOn."""
    recipients = [one for one in _recipients(text) if _OF_A_RECIPIENT & one.keys() or "status" in one][:_MOST_FATES]
    fates = [fate for one in recipients if (fate := _fate(one))]
    if not fates and any(_word(one.get("action", "")) in _SILENT for one in recipients):
        raise PassedOn
    return fates


def _recipients(text: str) -> Iterator[Fields]:
    """Each recipient's fields. A block without any of the fields that begin one goes on with the block before."""
    current: Fields = {}
    for block in re.split(r"\r?\n[ \t]*\r?\n", text):
        fields = _fields(block)
        begins = bool(_OF_A_RECIPIENT & fields.keys())
        is_another = begins and "action" in current and ("action" in fields or "final-recipient" in current)
        if is_another:
            yield current
            current = fields
        else:
            current = current | fields
    yield current


def _fields(block: str) -> Fields:
    """The report's own fields in a block of lines. A line that begins none of them goes on with the one before."""
    fields: Fields = {}
    name = ""
    for line in block.splitlines():
        if field := _FIELD.match(line):
            name = field[1].lower()
            if name in fields:
                name = ""  # the first one counts
                continue
            fields[name] = field[2].strip()
        elif name and len(fields[name]) < _LONGEST_VALUE:
            fields[name] = f"{fields[name]} {line.strip()}"
    return fields


def _fate(one: Fields) -> Fate | None:
    """None for an action that says nothing, and for a recipient of whom only the prose tells."""
    status = _CODE.search(one.get("status", ""))
    words = _words(one)
    code = status[0] if status else ""
    kind = _ACTIONS.get(_word(one.get("action", "")))
    if kind is None and "action" not in one and code.startswith("5"):
        kind = Kind.FAILED
    if kind is None:
        return None
    if _word(one.get("action", "")) == "expired":
        words = f"{words} (expired)"
    named = tuple(filter(None, (_address(one.get(name, "")) for name in ("original-recipient", "final-recipient"))))
    return Fate(kind, words, code, named)


def _words(one: Fields) -> str:
    """The diagnosis without the kind of server that gave it, or else what follows the status."""
    diagnosis = " ".join(mime.text(one.get("diagnostic-code", "")).split())
    words = _MTA_TYPE.sub("", diagnosis, count=1).strip() if _MTA_TYPE.match(diagnosis) else diagnosis
    return words or _CODE.sub("", one.get("status", "")).strip(" ()")


def _word(value: str) -> str:
    words = value.split()
    return words[0].strip(";,()").lower() if words else ""


def _address(value: str) -> str:
    """`rfc822; name@domain` or `utf-8; name@domain`, in which RFC 6533 writes letters as \\x{6A21}."""
    kind, mark, rest = mime.text(value).partition(";")
    plain = re.sub(r"\\x\{([0-9A-Fa-f]{1,6})\}", _letter, (rest if mark else kind).strip())
    return mime.address(plain)


def _letter(match: re.Match[str]) -> str:
    number = int(match[1], 16)
    return chr(number) if number < 0x110000 else ""
