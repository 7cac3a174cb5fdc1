"""A letter compiled once into byte segments, then written per reader by joining them.

`compile` parses headers, text and HTML that contain slots (``%%name%%``), encodes everything
that is the same for all readers, and leaves holes. `CompiledMessage.render` encodes only the
values that go into the holes. Every rendered copy

- has CRLF line ends only, ends with CRLF, and no line longer than 998 bytes (RFC 5322 2.1.1);
- has body lines of at most 76 characters (RFC 2045 6.7): each slot is between soft breaks;
- holds exactly one To field and no Cc or Bcc;
- is not dot-stuffed, unless that was asked for (RFC 5321 4.5.2): looking for leading dots in the
  whole copy takes as long as all the rest, while what is the same for all can be stuffed once.
"""

import binascii
import hashlib
import html as markup
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from mailkit import headers as fields

SLOT = re.compile(r"%%([a-z][a-z0-9_]*)%%")

_SOFT_BREAK = b"=\r\n"
# Needs neither HTML escaping nor quoted-printable, only soft breaks.
_PLAIN = re.compile(r"[ !#-%(-;?-~]*").fullmatch
# RFC 2045 6.7 (5): 76 with the soft break's equals sign.
_LINE = 75
# Fields that this module writes, and fields that would add readers to a personal mail.
_REFUSED = frozenset({"mime-version", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc"})
_SINGLE = frozenset({"from", "sender", "to", "reply-to", "subject", "date", "message-id"})
_NOTHING: Mapping[str, str] = MappingProxyType({})


class CannotCompile(Exception):
    """The message cannot become a lawful letter; the sentence says what to change."""


class MissingSlot(Exception):
    """`render` was not given a value for a slot. Holds the slot's name only."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No value was given for the slot {name}.")
        self.name = name


class _BodySlot(NamedTuple):
    name: str
    in_text: tuple[int, ...]
    in_html: tuple[int, ...]


class _HeaderSlot(NamedTuple):
    field: fields.SlottedField
    position: int


class CompiledMessage:
    """An immutable letter with holes. Make one with `compile` or `load`."""

    __slots__ = ("_bodies", "_fields", "_segments", "_stuffed", "headers", "html", "slots", "text")

    def __init__(
        self,
        *,
        headers: Sequence[tuple[str, str]],
        text: str,
        html: str,
        slots: Collection[str] | None,
    ) -> None:
        self.headers = tuple((name, value) for name, value in headers)
        self.text = text
        self.html = html
        used = set(SLOT.findall("\n".join([*(v for _, v in self.headers), text, html])))
        self.slots = frozenset(used if slots is None else used & set(slots))
        self._segments: list[bytes] = []
        self._stuffed: list[bytes] = []
        self._fields: list[_HeaderSlot] = []
        self._bodies: list[_BodySlot] = []
        self._build()

    def render(self, values: Mapping[str, str]) -> bytes:
        """The whole message for one reader.

        Values for the HTML part are escaped there; text and headers take them raw. Raises
        `MissingSlot` when a slot has no value and `mailkit.headers.UnsafeValue` when a value
        is not allowed in its header. Values beyond the known slots are ignored.
        """
        return b"".join(self._filled(self._segments.copy(), values, _as_it_is))

    def render_stuffed(self, values: Mapping[str, str]) -> list[bytes]:
        """As `render`, in pieces, with every leading dot doubled as SMTP's DATA wants it.

        Most of the bytes are in pieces that all copies share: they are neither copied nor looked at here.
        """
        return self._filled(self._stuffed.copy(), values, stuff)

    def _filled(self, segments: list[bytes], values: Mapping[str, str], write: Callable[[bytes], bytes]) -> list[bytes]:
        try:
            for field, position in self._fields:
                # A field begins with its name, and its other lines with a blank.
                segments[position] = field.render(values)
            for name, in_text, in_html in self._bodies:
                value = values[name]
                is_plain = _PLAIN(value)
                encoded = write(_in_lines(value) if is_plain else quoted(value))
                for position in in_text:
                    segments[position] = encoded
                if in_html and not is_plain:
                    encoded = write(quoted(escape(value)))
                for position in in_html:
                    segments[position] = encoded
        except KeyError as error:
            raise MissingSlot(str(error.args[0])) from None
        return segments

    def check(self, values: Mapping[str, str]) -> None:
        """Raise what `render` would raise for this reader, at the price of the headers alone."""
        try:
            for name in self.slots:
                values[name]
            for slot in self._fields:
                slot.field.render(values)
        except KeyError as error:
            raise MissingSlot(str(error.args[0])) from None

    def dump(self) -> dict[str, Any]:
        """What the snapshot stores: the source with its slots. `load` gives back an equal message."""
        return {
            "version": 1,
            "headers": [list(pair) for pair in self.headers],
            "text": self.text,
            "html": self.html,
            "slots": sorted(self.slots),
        }

    @classmethod
    def load(cls, dumped: Mapping[str, Any], *, fixed: Mapping[str, str] = _NOTHING) -> Self:
        """The message that `dump` described. Raises `CannotCompile` for an unknown version.

        `fixed` has the values of slots that all copies to come share: they are written here, once.
        """
        if dumped.get("version") != 1:
            raise CannotCompile("The stored message was written by a newer version of Newsroom.")
        return cls(
            headers=[(name, fill(value, fixed.__getitem__, slots=fixed)) for name, value in dumped["headers"]],
            text=fill(dumped["text"], fixed.__getitem__, slots=fixed),
            html=fill(dumped["html"], lambda name: escape(fixed[name]), slots=fixed),
            slots=set(dumped["slots"]).difference(fixed),
        )

    def _build(self) -> None:
        _check_fields(self.headers)
        # "=_" cannot occur in quoted-printable, so no content and no value can forge a boundary.
        digest = hashlib.sha256(f"{self.text}\0{self.html}".encode()).hexdigest()[:24]
        boundary = f"=_{digest}"
        for name, value in self.headers:
            self._add_field(name, value)
        self._static(f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n')
        places: list[dict[str, tuple[int, ...]]] = []
        for subtype, source in (("plain", self.text), ("html", self.html)):
            # The line end before a boundary belongs to the boundary (RFC 2046 5.1.1).
            self._static(
                f'\r\n--{boundary}\r\nContent-Type: text/{subtype}; charset="utf-8"\r\n'
                "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
            )
            places.append(self._add_body(source))
        in_text, in_html = places
        self._bodies = [
            _BodySlot(name, in_text.get(name, ()), in_html.get(name, ())) for name in {**in_text, **in_html}
        ]
        self._static(f"\r\n--{boundary}--\r\n")
        self._merge_static()

    def _static(self, text: str) -> None:
        self._segments.append(text.encode("ascii"))

    def _add_field(self, name: str, value: str) -> None:
        pieces = _split(value, self.slots)
        try:
            if len(pieces) == 1:
                self._segments.append(fields.encode(name, value))
                return
            field = fields.SlottedField(name, pieces)
        except fields.UnsafeValue as error:
            raise CannotCompile(str(error)) from error
        self._fields.append(_HeaderSlot(field, len(self._segments)))
        self._segments.append(b"")

    def _add_body(self, source: str) -> dict[str, tuple[int, ...]]:
        pieces = _split(source if source.endswith("\n") else f"{source}\n", self.slots)
        places: dict[str, tuple[int, ...]] = {}
        for index, piece in enumerate(pieces):
            if index % 2:
                places[piece] = (*places.get(piece, ()), len(self._segments))
                self._segments.append(b"")
                continue
            literal = quoted_literal(piece)
            if index + 1 < len(pieces) and literal and not literal.endswith(b"\r\n"):
                literal += _SOFT_BREAK
            self._segments.append(literal)
        return places

    def _merge_static(self) -> None:
        """Join neighbouring static segments, so that a copy is a join of as few as possible."""
        holes = {slot.position for slot in self._fields}
        holes.update(place for slot in self._bodies for place in (*slot.in_text, *slot.in_html))
        merged: list[bytes] = []
        moved: dict[int, int] = {}
        run: list[bytes] = []
        for index, segment in enumerate(self._segments):
            if index not in holes:
                run.append(segment)
                continue
            if run:
                merged.append(b"".join(run))
            run = []
            moved[index] = len(merged)
            merged.append(b"")
        merged.append(b"".join(run))
        self._segments = merged
        # Every hole begins a line and ends one, so each segment can be stuffed by itself.
        self._stuffed = [stuff(segment) for segment in merged]
        self._fields = [slot._replace(position=moved[slot.position]) for slot in self._fields]
        self._bodies = [
            _BodySlot(
                slot.name, tuple(map(moved.__getitem__, slot.in_text)), tuple(map(moved.__getitem__, slot.in_html))
            )
            for slot in self._bodies
        ]


def compile(  # noqa: A001 - the verb of this module, always called as segments.compile
    *,
    headers: Sequence[tuple[str, str]],
    text: str,
    html: str,
    slots: Collection[str] | None = None,
) -> CompiledMessage:
    """Compile a multipart/alternative letter whose headers, text and HTML may hold ``%%name%%``.

    `slots` names the slots that count; anything else that looks like one stays as written, so
    that an article which mentions ``%%anything%%`` cannot make a letter unrenderable. None
    takes every slot that occurs. Raises `CannotCompile` when a static header is unlawful, when
    there is not exactly one To and one From, or when a field appears that may not.
    """
    return CompiledMessage(headers=headers, text=text, html=html, slots=slots)


def quoted_literal(text: str) -> bytes:
    """Quoted-printable of `text` with CRLF line ends, without a soft break at the end."""
    unified = text.replace("\r\n", "\n").replace("\r", "\n").encode()
    # The sentinel keeps room on the last line for the soft break that a following slot needs.
    return binascii.b2a_qp(unified + b"x", istext=True)[:-1].replace(b"\n", b"\r\n")


def quoted(value: str) -> bytes:
    """A slot's value in a body, with its closing soft break."""
    return _in_lines(value) if _PLAIN(value) else quoted_literal(value) + _SOFT_BREAK


def _in_lines(value: str) -> bytes:
    """As `quoted`, of a value that is plain."""
    if len(value) > _LINE:
        value = "=\r\n".join([value[at : at + _LINE] for at in range(0, len(value), _LINE)])
    return value.encode("ascii") + _SOFT_BREAK


def stuff(lines: bytes) -> bytes:
    """Whole lines, with their leading dots doubled (RFC 5321 4.5.2)."""
    body = lines.replace(b"\r\n.", b"\r\n..")
    return b"." + body if body.startswith(b".") else body


def _as_it_is(literal: bytes) -> bytes:
    return literal


def fill(source: str, write: Callable[[str], str], *, slots: Collection[str], keep: Callable[[str], str] = str) -> str:
    """`source` with `write(name)` in place of each slot and `keep(literal)` of all between them."""
    pieces = _split(source, slots)
    return "".join(write(piece) if index % 2 else keep(piece) for index, piece in enumerate(pieces))


def slots_in(source: str, slots: Collection[str]) -> set[str]:
    """Those of `slots` that occur in `source`."""
    return set(_split(source, slots)[1::2])


def escape(value: str) -> str:
    """`value` as it is written in HTML, between tags or within a quoted attribute."""
    return markup.escape(value)


def _split(source: str, slots: Collection[str]) -> list[str]:
    """Literals at even indexes, slot names at odd ones; unknown slots stay part of a literal."""
    pieces = [""]
    for index, piece in enumerate(SLOT.split(source)):
        if index % 2 == 0:
            pieces[-1] += piece
        elif piece in slots:
            pieces += [piece, ""]
        else:
            pieces[-1] += f"%%{piece}%%"
    return pieces


def _check_fields(headers: Sequence[tuple[str, str]]) -> None:
    names = [name.lower() for name, _ in headers]
    for name in names:
        # No field begins with a dot: it would have to be stuffed in each copy.
        if name in _REFUSED or name.startswith(("content-", ".")):
            raise CannotCompile(f"The header {name} may not be set on a bulk letter.")
        if name in _SINGLE and names.count(name) > 1:
            raise CannotCompile(f"The header {name} may be given only once.")
    for name in ("from", "to"):
        if name not in names:
            raise CannotCompile(f"The header {name} is missing.")
