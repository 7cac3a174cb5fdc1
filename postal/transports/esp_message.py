"""The Anymail message for a batch of copies, or for one."""

import functools
import re
from collections.abc import Callable, Sequence
from typing import Final

from anymail.message import AnymailMessage

from mailkit import segments
from mailkit.segments import CompiledMessage
from postal import providers
from postal.transports.base import Copy

# Fields that Anymail takes by another way, and those that the provider writes itself.
_OWN_FIELDS: Final = frozenset({"from", "to", "subject", "reply-to", "date", "message-id"})
_NOT_OURS: Final = frozenset({"to", "date", "message-id"})
# What no header refuses, wherever in it this stands, and however many of them.
_HARMLESS = re.compile(r"[!-;?-~]*").fullmatch
_HARMLESS_LENGTH: Final = 300


def build(copies: Sequence[Copy], message: CompiledMessage, *, provider: str) -> AnymailMessage:
    """One message for all `copies` if the provider merges; otherwise for the single copy given.

    Every reader sees only their own address. The provider's own tracking is switched off: what
    is counted is decided by the reader's consent, not by the provider.
    """
    sending = providers.sending(provider)
    built = _merged(copies, message, sending.merge_field) if sending.merge_field else _single(copies[0], message)
    built.to = [copy.recipient for copy in copies]
    if sending.switches_tracking_off:
        built.track_clicks = built.track_opens = False
    if sending.merge_field:
        built.merge_metadata = {copy.recipient: {"delivery": copy.delivery_uuid} for copy in copies}
    elif sending.takes_metadata:
        built.metadata = {"delivery": copies[0].delivery_uuid}
    return built


def are_harmless(copies: Sequence[Copy], message: CompiledMessage) -> bool:
    """True when certainly no value of these copies is missing or can break a header; False when each must be asked."""
    if not all(message.slots <= copy.merge.keys() for copy in copies):
        return False
    sources = "\n".join(source for name, source in message.headers if name.lower() not in _NOT_OURS)
    for slot in segments.slots_in(sources, message.slots):
        values = [copy.merge[slot] for copy in copies]
        if not _HARMLESS("".join(values)) or max(map(len, values)) > _HARMLESS_LENGTH:
            return False
    return True


def _single(copy: Copy, message: CompiledMessage) -> AnymailMessage:
    fields = {name: _filled(source, copy, message) for name, source in message.headers}
    built = _start(fields)
    built.body = _filled(message.text, copy, message)
    html = segments.fill(message.html, lambda name: segments.escape(copy.merge[name]), slots=message.slots)
    built.attach_alternative(html, "text/html")
    return built


def _merged(copies: Sequence[Copy], message: CompiledMessage, field: tuple[str, str]) -> AnymailMessage:
    """A message whose texts and headers hold the provider's fields where its readers' copies differ."""
    merging = _Merging(copies, message, field)
    headers = [(name, source) for name, source in message.headers if name.lower() not in _NOT_OURS]
    built = _start({name: merging.text(source) for name, source in headers})
    built.body = merging.text(message.text)
    built.attach_alternative(merging.html(message.html), "text/html")
    built.merge_data = merging.data()
    return built


class _Merging:
    """Takes apart what the readers of a batch share and what is their own.

    Only what differs becomes a field: of a link, that is its token without its first characters. A slot
    that is the same for all is text, and slots that differ in the same way share one field.
    """

    def __init__(self, copies: Sequence[Copy], message: CompiledMessage, field: tuple[str, str]) -> None:
        self._copies = copies
        self._slots = message.slots
        self._opening, self._closing = field
        self._parts: dict[str, tuple[str, tuple[str, ...], str]] = {}
        self._fields: dict[tuple[str, ...], str] = {}

    def text(self, source: str) -> str:
        """`source` with fields, for a header or the plain text."""
        return self._template(source, kind="", write=str, keep=lambda text: _inert(text, self._opening))

    def html(self, source: str) -> str:
        """`source` with fields, for HTML: what readers bring is escaped."""
        entity = f"&#{ord(self._opening[0])};{self._opening[1:]}"
        return self._template(
            source, kind="_html", write=segments.escape, keep=lambda text: text.replace(self._opening, entity)
        )

    def data(self) -> dict[str, dict[str, str]]:
        """Each reader's values for the fields of all templates that were made, by address."""
        names = list(self._fields.values())
        rows = zip(*self._fields, strict=True) if names else iter([()] * len(self._copies))
        return {
            copy.recipient: dict(zip(names, row, strict=True)) for copy, row in zip(self._copies, rows, strict=True)
        }

    def _template(self, source: str, *, kind: str, write: Callable[[str], str], keep: Callable[[str], str]) -> str:
        literals, fields = [""], []
        for index, piece in enumerate(_pieces(source, self._slots)):
            if index % 2 == 0:
                literals[-1] += piece
                continue
            before, own, after = self._part(piece)
            literals[-1] += write(before)
            if own:
                fields.append(self._field(piece, kind, own, write))
                literals.append("")
            literals[-1] += write(after)
        kept = [keep(literal) for literal in literals]
        return kept[0] + "".join(field + literal for field, literal in zip(fields, kept[1:], strict=True))

    def _part(self, slot: str) -> tuple[str, tuple[str, ...], str]:
        """What stands before and after, the same for all, and between them each reader's own; () if that is nothing."""
        if slot not in self._parts:
            values = [copy.merge[slot] for copy in self._copies]
            before = _shared_start(values)
            rest = [value[len(before) :] for value in values]
            after = _shared_start([value[::-1] for value in rest])[::-1]
            own = tuple(value[: len(value) - len(after)] for value in rest) if any(rest) else ()
            self._parts[slot] = (before, own, after)
        return self._parts[slot]

    def _field(self, slot: str, kind: str, own: tuple[str, ...], write: Callable[[str], str]) -> str:
        joined = "".join(own)
        if write(joined) != joined:
            own, slot = tuple(map(write, own)), slot + kind
        return f"{self._opening}{self._fields.setdefault(own, slot)}{self._closing}"


def _shared_start(values: Sequence[str]) -> str:
    """The longest text with which all of `values` begin."""
    least, greatest = min(values), max(values)
    for index, character in enumerate(least):
        if character != greatest[index]:
            return least[:index]
    return least


@functools.lru_cache(maxsize=16)
def _pieces(source: str, slots: frozenset[str]) -> Sequence[str]:
    """Literals at even indexes, slot names at odd ones. Kept, because every batch of an issue asks."""
    found: list[str] = []

    def note(piece: str) -> str:
        found.append(piece)
        return piece

    segments.fill(source, note, slots=slots, keep=note)
    return found


def _start(fields: dict[str, str]) -> AnymailMessage:
    named = {name.lower(): value for name, value in fields.items()}
    return AnymailMessage(
        subject=named.get("subject", ""),
        from_email=named.get("from", ""),
        reply_to=[named["reply-to"]] if named.get("reply-to") else None,
        headers={
            name: in_ascii
            for name, value in fields.items()
            if name.lower() not in _OWN_FIELDS and (in_ascii := _in_ascii(value))
        },
    )


def _in_ascii(value: str) -> str:
    """The value, or what stands in its angle brackets, or nothing.

    Providers mangle other letters in headers that they do not know (Brevo so much that Anymail refuses
    them, Unisender Go with the brackets), so a List-Id goes without the newsletter's name then.
    """
    if value.isascii():
        return value
    bracketed = value[value.rfind("<") :] if "<" in value else ""
    return bracketed if bracketed.isascii() else ""


def _filled(source: str, copy: Copy, message: CompiledMessage) -> str:
    return segments.fill(source, copy.merge.__getitem__, slots=message.slots)


def _inert(text: str, opening: str) -> str:
    """`text` in which an article's own "%recipient." is not a field: a word joiner stands within."""
    return text.replace(opening, f"{opening[0]}\u2060{opening[1:]}")
