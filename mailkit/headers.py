"""How one header field becomes bytes: static fields once, slotted fields per reader.

Text is encoded after RFC 2047 where it needs to be; addresses, Message-IDs and URLs never are,
because a mail program does not decode them there. What cannot be written safely is refused.
"""

import email.errors
import re
from collections.abc import Iterator, Mapping, Sequence
from email.header import decode_header, make_header
from typing import Final

from mailkit import encoded_words, header_text

ADDRESS_FIELDS: Final = frozenset({"to", "from", "reply-to", "sender"})
# Read by people: angle brackets mean nothing here, while elsewhere they hold a URL or an id.
TEXT_FIELDS: Final = frozenset({"subject", "comments", "keywords"})
# RFC 5322 2.1.1 without the line end.
_LONGEST_LINE: Final = 998
_FOLD_AT: Final = 78
_NAME = re.compile(r"[!-9;-~]+").fullmatch
# No "=": two harmless neighbours could make an encoded word ("=?") together.
_SINGLE_BLANK = re.compile(r"(?<! ) (?! )")
_PLAIN = re.compile(r"[!-<>-~](?:[ -<>-~]*[!-<>-~])?").fullmatch
_GLUE = re.compile(r"[!-<>-~]*").fullmatch
_TOKEN = re.compile(r"(?:[!-;=?-~])+").fullmatch
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/^_`{|}~-]+)*").fullmatch
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDR_SPEC = (
    rf'(?![^<>]*=\?)(?:{_ATEXT}(?:\.{_ATEXT})*|"(?:[ !#-\[\]-~]|\\[ -~])*")'
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[A-Za-z0-9.:]+\])"
)
_ADDRESS = re.compile(_ADDR_SPEC).fullmatch
# One mailbox of a list: a quoted or a plain name in front of <address>, or an address alone.
_MAILBOX = re.compile(
    rf"""(?:(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<words>[^"(),.:;<>@\[\\\]]*))[ ]?<(?P<named>{_ADDR_SPEC})>"""
    rf"""|(?P<bare>{_ADDR_SPEC}))(?:,[ ]*(?=[^ ,])|$)"""
)
# The same when nothing of it has to be encoded.
_PLAIN_MAILBOX = re.compile(
    rf"""(?:[A-Za-z0-9!#$%&'*+/^_`{{|}}~ -]*|"(?:[ !#-<>-\[\]-~]|\\[ -~])*") <{_ADDR_SPEC}>"""
).fullmatch
# What a List- field holds: perhaps a name (RFC 2919), then ids or URLs in brackets.
_LISTED = re.compile(
    r"""(?:(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<words>[^"<>]*))[ ])?(?P<rest><[!-;=?-~]+>(?:,[ ]?<[!-;=?-~]+>)*)"""
).fullmatch


class UnsafeValue(Exception):
    """A value that is not allowed in this header; the sentence never repeats the value."""


class SlottedField:
    """One header field with holes: literals at even indexes of `pieces`, slot names at odd ones."""

    __slots__ = ("_name", "_pieces", "_prefix", "_quick", "_slots")

    def __init__(self, name: str, pieces: Sequence[str]) -> None:
        _check_name(name)
        for literal in pieces[::2]:
            _check_text(name, literal)
        self._name = name
        self._prefix = f"{name}: "
        self._pieces = list(pieces)
        self._slots = [(index, pieces[index], _kind(name, pieces, index)) for index in range(1, len(pieces), 2)]
        self._quick = _quick_literals(name, self._pieces)

    def render(self, values: Mapping[str, str]) -> bytes:
        """The field with its line end. Raises KeyError(slot) or `UnsafeValue`."""
        quick = self._quick
        if quick is None:
            return self._render_slowly(values)
        pieces = quick.copy()
        for index, slot, kind in self._slots:
            value = values[slot]
            if kind == "text":
                if not _PLAIN(value):
                    return self._render_slowly(values)
                pieces[index] = value
            else:
                pieces[index] = _structured(self._name, kind, value)
        line = "".join(pieces)
        if len(line) > _LONGEST_LINE:
            return self._render_slowly(values)
        return f"{self._prefix}{line}\r\n".encode("ascii")

    def _render_slowly(self, values: Mapping[str, str]) -> bytes:
        pieces = self._pieces.copy()
        for index, slot, kind in self._slots:
            value = values[slot]
            if kind == "phrase":
                pieces[index] = _quoted(value)
            else:
                pieces[index] = value if kind == "text" else _structured(self._name, kind, value)
        return encode(self._name, "".join(pieces))


def mailbox(*, name: str, address: str) -> str:
    """A name and an address as the value of an address field, in any script: `encode` writes it as ASCII."""
    if not name:
        return address
    return f"{name if _ATOMS(name) else _quoted(name)} <{address}>"


def encode(name: str, value: str) -> bytes:
    """A whole field, folded, with its line end. Raises `UnsafeValue`.

    No line is longer than 78 bytes, or than 76 with an encoded word in it, unless a single word is.
    """
    _check_name(name)
    _check_text(name, value)
    folded = _folded(name, _units(name, value))
    if any(len(line) > _LONGEST_LINE for line in folded.split(b"\r\n")):
        raise UnsafeValue(f"The header {name} is longer than a line may be.")
    return folded


def _units(name: str, value: str) -> list[str]:
    """What a field is made of; a line may be broken before each unit, where there is a blank."""
    kind = name.lower()
    start = len(name) + 2
    if kind in ADDRESS_FIELDS:
        return _address_units(name, value)
    if kind.startswith("list-") and not _is_plain(value):
        return _list_units(name, value)
    bracketed = "<" in value and kind not in TEXT_FIELDS
    if _is_plain(value) and (bracketed or not _is_crowded(value)):
        return _SINGLE_BLANK.split(value)
    return encoded_words.encode(value, used=start)


def _address_units(name: str, value: str) -> list[str]:
    units: list[str] = []
    for phrase, address in _mailboxes(name, value):
        units += _phrase(name, phrase, used=1 if units else len(name) + 2)
        units.append(f"<{address}>," if phrase else f"{address},")
    units[-1] = units[-1].removesuffix(",")
    return units


def _list_units(name: str, value: str) -> list[str]:
    match = _LISTED(value)
    if match is None:
        raise UnsafeValue(f"The header {name} has a name and then addresses of plain ASCII in angle brackets.")
    phrase = _unquoted(match)
    return [*encoded_words.encode(phrase, used=len(name) + 2), *_SINGLE_BLANK.split(match["rest"])]


def _mailboxes(name: str, value: str) -> Iterator[tuple[str, str]]:
    """The (name, address) pairs of an address field; a name is empty where there is none."""
    at = 0
    while at < len(value) or not value:
        match = _MAILBOX.match(value, at)
        if match is None:
            raise UnsafeValue(f"The header {name} is not a lawful e-mail address.")
        yield _unquoted(match), match["named"] or match["bare"]
        at = match.end()


def _unquoted(match: re.Match[str]) -> str:
    quoted: str | None = match["quoted"]
    return re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else (match["words"] or "").strip()


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _folded(name: str, units: Sequence[str]) -> bytes:
    """The field in lines, the first of them never empty: parsers differ in what they make of that."""
    limit = _FOLD_AT - 2 if any(unit.startswith("=?") for unit in units) else _FOLD_AT
    lines = [f"{name}:"]
    for unit in units:
        if len(lines[-1]) + 1 + len(unit) > limit and lines[-1] != f"{name}:":
            lines.append("")
        lines[-1] += f" {unit}"
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def _is_plain(value: str) -> bool:
    return value.isascii() and "=?" not in value and value == value.strip()


def _is_crowded(value: str) -> bool:
    """True when some word of it would not fit into a line."""
    return max(map(len, _SINGLE_BLANK.split(value))) > _LONGEST_LINE // 2


def _check_name(name: str) -> None:
    if not _NAME(name):
        raise UnsafeValue("A header's name is printable ASCII without blanks and colons.")


def _check_text(name: str, value: str) -> None:
    try:
        header_text.check_header_text(value)
        value.encode()
    except (header_text.UnsafeHeaderText, UnicodeEncodeError):
        sentence = f"The header {name} holds a control character or a line break; remove it."
        raise UnsafeValue(sentence) from None


def _kind(name: str, pieces: Sequence[str], index: int) -> str:
    """What a slot holds, seen from its place: address, phrase, token (inside <>) or text."""
    before = "".join(pieces[:index:2])
    if name.lower() in ADDRESS_FIELDS:
        is_phrase = pieces[index + 1].lstrip().startswith("<")
        return "phrase" if is_phrase else "address"
    is_open = before.count("<") > before.count(">")
    return "token" if is_open and name.lower() not in TEXT_FIELDS else "text"


def _structured(name: str, kind: str, value: str) -> str:
    if kind == "token":
        if not _TOKEN(value):
            raise UnsafeValue(f"A value for {name} must be printable ASCII without blanks or <>.")
        return value
    if kind == "phrase":
        return "\r\n ".join(_phrase(name, value, used=len(name) + 2))
    if _ADDRESS(value) or (len(value) < _FOLD_AT - len(name) and _PLAIN_MAILBOX(value)):
        return value
    return _mailbox(name, value)


def _mailbox(name: str, value: str) -> str:
    """One address with a display name that needs encoding, or `UnsafeValue`."""
    _check_text(name, value)
    mailboxes = list(_mailboxes(name, value))
    if len(mailboxes) != 1 or not mailboxes[0][0]:
        raise UnsafeValue(f"A value for {name} is not one plain e-mail address.")
    [(phrase, address)] = mailboxes
    try:
        # `formataddr` writes a name that is not ASCII as one encoded word, however long.
        decoded = str(make_header(decode_header(phrase))) if "=?" in phrase else phrase
    except (email.errors.HeaderParseError, LookupError, ValueError):
        decoded = phrase
    return "\r\n ".join([*_phrase(name, decoded, used=len(name) + 2), f"<{address}>"])


def _phrase(name: str, value: str, *, used: int) -> list[str]:
    """A display name in units: atoms as they are, other short ASCII quoted, the rest as encoded words."""
    if not value:
        return []
    if _ATOMS(value):
        return value.split(" ")
    _check_text(name, value)
    quoted = _quoted(value)
    # Never folded: not every parser takes the line break out of a quoted string.
    if _is_plain(value) and "=" not in value and used + len(quoted) < _FOLD_AT:
        return [quoted]
    return encoded_words.encode(value, used=used)


def _quick_literals(name: str, pieces: Sequence[str]) -> list[str] | None:
    """The literals as they may be written beside plain values, or None if there is no such way.

    An encoded word must be between blanks, so the part of a literal that touches a slot has
    to be plain ASCII; what lies between its first and last blank may be encoded beforehand.
    """
    quick = list(pieces)
    has_brackets = "<" in "".join(pieces[::2]) and name.lower() not in TEXT_FIELDS
    structured = has_brackets or name.lower() in ADDRESS_FIELDS
    for index in range(0, len(pieces), 2):
        literal = pieces[index]
        if structured:
            if not literal.isascii():
                return None
            quick[index] = literal.replace(", <", ",\r\n <")
            continue
        encoded = _between_slots(name, literal, first=index == 0, last=index == len(pieces) - 1)
        if encoded is None:
            return None
        quick[index] = encoded
    return quick


def _between_slots(name: str, literal: str, *, first: bool, last: bool) -> str | None:
    head = "" if first else literal.partition(" ")[0]
    rest = literal[len(head) :]
    tail = "" if last else rest.rpartition(" ")[2]
    middle = rest[: len(rest) - len(tail)]
    if not _GLUE(head) or not _GLUE(tail) or (last and middle.endswith(" ")):
        return None
    if first and middle.startswith(" "):
        return None
    core = middle.strip(" ")
    if core and not _PLAIN(core):
        lead, _, trail = middle.partition(core)
        # A line of its own: nobody knows yet how long the values beside it are.
        begin, end = ("" if first else "\r\n"), ("\r\n" if trail else "")
        words = encoded_words.encode(core, used=len(name) + 2 if first else len(lead))
        middle = begin + lead + "\r\n ".join(words) + end + trail
    return head + middle + tail
