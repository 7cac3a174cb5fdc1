"""How one header field becomes bytes: static fields once, slotted fields per reader.

Text is encoded after RFC 2047 where it needs to be; addresses, Message-IDs and URLs never are,
because a mail program does not decode them there. What cannot be written safely is refused.
"""

import base64
import email
import email.errors
import email.policy
import re
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import Final

from mailkit import message

ADDRESS_FIELDS: Final = frozenset({"to", "from", "reply-to", "sender"})
# Read by people: angle brackets mean nothing here, while elsewhere they hold a URL or an id.
TEXT_FIELDS: Final = frozenset({"subject", "comments", "keywords"})
# RFC 5322 2.1.1 without the line end.
_LONGEST_LINE: Final = 998
_FOLD_AT: Final = 78
_POLICY: Final = email.policy.SMTP
# 45 octets make 60 base64 characters: with "=?utf-8?b?" and "?=" below the 75 of RFC 2047 2.
_WORD_OCTETS: Final = 45

_NAME = re.compile(r"[!-9;-~]+").fullmatch
# No "=": two harmless neighbours could make an encoded word ("=?") together.
_PLAIN = re.compile(r"[!-<>-~](?:[ -<>-~]*[!-<>-~])?").fullmatch
_GLUE = re.compile(r"[!-<>-~]*").fullmatch
_TOKEN = re.compile(r"(?:[!-;=?-~])+").fullmatch
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/^_`{|}~-]+)*").fullmatch
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDR_SPEC = (
    rf'(?!.*=\?)(?:{_ATEXT}(?:\.{_ATEXT})*|"(?:[ !#-\[\]-~]|\\[ -~])*")'
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[A-Za-z0-9.:]+\])"
)
_ADDRESS = re.compile(_ADDR_SPEC).fullmatch
# What email.utils.formataddr makes of a name and an address: atoms or a quoted string first.
_MAILBOX = re.compile(
    rf"""(?:[A-Za-z0-9!#$%&'*+/^_`{{|}}~ -]*|"(?:[ !#-<>-\[\]-~]|\\[ -~])*") <{_ADDR_SPEC}>"""
).fullmatch


class UnsafeValue(Exception):
    """A value that cannot stand in this header; the sentence never repeats the value."""


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
            pieces[index] = value if kind == "text" else _structured(self._name, kind, value)
        return encode(self._name, "".join(pieces))


def encode(name: str, value: str) -> bytes:
    """A whole field, folded, with its line end. Raises `UnsafeValue`."""
    _check_name(name)
    _check_text(name, value)
    if name.lower() in ADDRESS_FIELDS:
        return _encode_addresses(name, value)
    if value.isascii() and "=?" not in value and value == value.strip():
        folded = _fold(name, value)
        if _fits(folded):
            return folded
        if "<" in value and name.lower() not in TEXT_FIELDS:
            raise UnsafeValue(f"The header {name} is longer than a line may be.")
    folded = _by_policy(name, value)
    if _fits(folded) and _reads_back(name, value, folded):
        return folded
    return f"{name}: {encoded_words(value)}\r\n".encode("ascii")


def encoded_words(value: str) -> str:
    """`value` as RFC 2047 encoded words, one to a line: exact for any text, blanks included."""
    chunks: list[bytes] = [b""]
    for character in value:
        octets = character.encode()
        if len(chunks[-1]) + len(octets) > _WORD_OCTETS:
            chunks.append(b"")
        chunks[-1] += octets
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(chunk).decode()}?=" for chunk in chunks)


def _check_name(name: str) -> None:
    if not _NAME(name):
        raise UnsafeValue("A header's name is printable ASCII without blanks and colons.")


def _check_text(name: str, value: str) -> None:
    try:
        message.check_header_text(value)
        value.encode()
    except (message.UnsafeHeaderText, UnicodeEncodeError):
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
        return _phrase(name, value)
    if _ADDRESS(value) or _MAILBOX(value):
        return value
    return _mailbox(name, value)


def _mailbox(name: str, value: str) -> str:
    """One address with a display name that needs encoding, or `UnsafeValue`."""
    phrase, _, rest = value.rpartition(" <")
    if not phrase or not rest.endswith(">") or not _ADDRESS(rest[:-1]):
        raise UnsafeValue(f"A value for {name} is not one plain e-mail address.")
    _check_text(name, value)
    try:
        parsed = _POLICY.header_factory("To", value).addresses
    except (ValueError, LookupError, AttributeError, TypeError, email.errors.MessageError):
        parsed = ()
    if len(parsed) != 1 or parsed[0].addr_spec != rest[:-1]:
        raise UnsafeValue(f"A value for {name} is not one plain e-mail address.")
    return f"{_phrase(name, parsed[0].display_name)}\r\n <{rest[:-1]}>"


def _phrase(name: str, value: str) -> str:
    """A display name: atoms as they are, other ASCII quoted, the rest as encoded words."""
    if not value or _ATOMS(value):
        return value
    _check_text(name, value)
    if value.isascii() and "=" not in value and value == value.strip() and len(value) < _FOLD_AT:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return encoded_words(value)


def _quick_literals(name: str, pieces: Sequence[str]) -> list[str] | None:
    """The literals as they may be written beside plain values, or None if there is no such way.

    An encoded word must stand between blanks, so the part of a literal that touches a slot has
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
        encoded = _between_slots(literal, first=index == 0, last=index == len(pieces) - 1)
        if encoded is None:
            return None
        quick[index] = encoded
    return quick


def _between_slots(literal: str, *, first: bool, last: bool) -> str | None:
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
        middle = lead + encoded_words(core) + trail
    return head + middle + tail


def _fold(name: str, value: str) -> bytes:
    """ASCII text, broken before single blanks so that lines stay within 78 where words allow."""
    lines = [f"{name}:"]
    for word in re.split(r"(?<! ) (?! )", value):
        if len(lines[-1]) + 1 + len(word) > _FOLD_AT and lines[-1] != f"{name}:":
            lines.append("")
        lines[-1] += f" {word}"
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def _encode_addresses(name: str, value: str) -> bytes:
    folded = _by_policy(name, value)
    if not _fits(folded) or not _reads_back(name, value, folded):
        raise UnsafeValue(f"The header {name} is not a lawful e-mail address.")
    return folded


def _by_policy(name: str, value: str) -> bytes:
    try:
        folded: str = _POLICY.header_factory(name, value).fold(policy=_POLICY)
        return folded.encode("ascii")
    except (ValueError, LookupError, AttributeError, TypeError, email.errors.MessageError):
        # CPython's folder fails on some lawful text; the caller has an exact second way.
        return b""


def _fits(folded: bytes) -> bool:
    lines = folded.split(b"\r\n")
    return folded.endswith(b"\r\n") and all(len(line) <= _LONGEST_LINE for line in lines)


def _reads_back(name: str, value: str, folded: bytes) -> bool:
    """True when a parser reads exactly `value` from `folded`, without a defect."""
    read = email.message_from_bytes(folded + b"\r\n", policy=email.policy.default)
    wanted = value
    if name.lower() in ADDRESS_FIELDS:
        slow = EmailMessage()
        slow[name] = value
        wanted = str(slow[name])
    return len(read.items()) == 1 and str(read[name]) == wanted and not read[name].defects and not read.defects
