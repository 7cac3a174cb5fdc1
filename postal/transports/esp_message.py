"""The Anymail message for a batch of copies, or for one."""

import re
from collections.abc import Sequence
from typing import Final

from anymail.message import AnymailMessage

from mailkit import segments
from mailkit.segments import CompiledMessage
from postal import providers
from postal.transports.base import Copy

# Fields that Anymail takes by another way, and those that the provider writes itself.
_OWN_FIELDS: Final = frozenset({"from", "to", "subject", "reply-to", "date", "message-id"})
_NOT_OURS: Final = frozenset({"to", "date", "message-id"})
# What no header refuses, wherever it is, and in any number.
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
    """A message whose texts and headers have the provider's fields for the slots, and each reader's values."""
    opening, closing = field
    entity = f"&#{ord(opening[0])};{opening[1:]}"
    headers = {name: source for name, source in message.headers if name.lower() not in _NOT_OURS}
    in_text = segments.slots_in("\n".join([*headers.values(), message.text]), message.slots)
    in_html = segments.slots_in(message.html, message.slots)

    def text(source: str) -> str:
        return segments.fill(
            source,
            lambda slot: f"{opening}{slot}{closing}",
            slots=message.slots,
            keep=lambda literal: _inert(literal, opening),
        )

    built = _start({name: text(source) for name, source in headers.items()})
    built.body = text(message.text)
    html = segments.fill(
        message.html,
        lambda slot: f"{opening}{slot}_html{closing}",
        slots=message.slots,
        keep=lambda literal: literal.replace(opening, entity),
    )
    built.attach_alternative(html, "text/html")
    built.merge_data = {
        copy.recipient: {slot: copy.merge[slot] for slot in in_text}
        | {f"{slot}_html": segments.escape(copy.merge[slot]) for slot in in_html}
        for copy in copies
    }
    return built


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
    """The value, or what is in its angle brackets, or nothing.

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
    """`text` in which an article's own "%recipient." is not a field: it has a word joiner within."""
    return text.replace(opening, f"{opening[0]}\u2060{opening[1:]}")
