"""The Anymail message for a batch of copies, or for one."""

from collections.abc import Sequence
from typing import Final

from anymail.message import AnymailMessage

from digests.sending.transports.base import Copy
from mailkit import segments
from mailkit.segments import CompiledMessage

# Providers that put a reader's values into a text of ours, and how they write a field. The others
# merge only into templates stored with them (Postmark, Brevo, Resend), or have a language in
# their fields that an article's text could speak (SparkPost, Mandrill, Mailjet, SendGrid).
MERGE_FIELDS: Final = {"mailgun": ("%recipient.", "%")}
# Providers whose Anymail backend can switch off the provider's own pixel and link rewriting.
TRACKING_SWITCH: Final = frozenset(
    {"mailersend", "mailgun", "mailjet", "mandrill", "postmark", "sendgrid", "sparkpost", "unisender_go"}
)
# Providers to which Anymail cannot hand metadata: their events are matched by the remote id.
NO_METADATA: Final = frozenset({"mailersend", "postal"})
# Fields that Anymail takes by another way, and those that the provider writes itself.
_OWN_FIELDS: Final = frozenset({"from", "to", "subject", "reply-to", "date", "message-id"})


def build(copies: Sequence[Copy], message: CompiledMessage, *, provider: str) -> AnymailMessage:
    """One message for all `copies` if the provider merges; otherwise for the single copy given.

    Every reader sees only their own address. The provider's own tracking is switched off: what
    is counted is decided by the reader's consent, not by the provider.
    """
    built = _merged(copies, message, provider) if provider in MERGE_FIELDS else _single(copies[0], message)
    built.to = [copy.recipient for copy in copies]
    if provider in TRACKING_SWITCH:
        built.track_clicks = built.track_opens = False
    if provider in MERGE_FIELDS:
        built.merge_metadata = {copy.recipient: {"delivery": copy.delivery_uuid} for copy in copies}
    elif provider not in NO_METADATA:
        built.metadata = {"delivery": copies[0].delivery_uuid}
    return built


def _single(copy: Copy, message: CompiledMessage) -> AnymailMessage:
    fields = {name: _filled(source, copy, message) for name, source in message.headers}
    built = _start(fields)
    built.body = _filled(message.text, copy, message)
    html = segments.fill(message.html, lambda name: segments.escape(copy.merge[name]), slots=message.slots)
    built.attach_alternative(html, "text/html")
    return built


def _merged(copies: Sequence[Copy], message: CompiledMessage, provider: str) -> AnymailMessage:
    opening, closing = MERGE_FIELDS[provider]
    built = _start({name: source for name, source in message.headers if not segments.has_slot(source, message.slots)})
    slotted = [(name, source) for name, source in message.headers if segments.has_slot(source, message.slots)]
    built.subject = segments.fill(
        dict(message.headers).get("Subject", ""),
        lambda name: f"{opening}{name}{closing}",
        slots=message.slots,
        keep=lambda text: _inert(text, opening),
    )
    built.body = segments.fill(
        message.text,
        lambda name: f"{opening}{name}{closing}",
        slots=message.slots,
        keep=lambda text: _inert(text, opening),
    )
    html = segments.fill(
        message.html,
        lambda name: f"{opening}{name}_html{closing}",
        slots=message.slots,
        keep=lambda text: text.replace(opening, f"&#37;{opening[1:]}"),
    )
    built.attach_alternative(html, "text/html")
    in_text = segments.slots_in(message.text, message.slots)
    in_text |= segments.slots_in(dict(message.headers).get("Subject", ""), message.slots)
    in_html = segments.slots_in(message.html, message.slots)
    built.merge_data = {copy.recipient: _values(copy, in_text, in_html) for copy in copies}
    fillers = [
        (name, segments.filler(source, slots=message.slots))
        for name, source in slotted
        if name.lower() not in _OWN_FIELDS
    ]
    built.merge_headers = {copy.recipient: {name: write(copy.merge) for name, write in fillers} for copy in copies}
    return built


def _start(fields: dict[str, str]) -> AnymailMessage:
    named = {name.lower(): value for name, value in fields.items()}
    return AnymailMessage(
        subject=named.get("subject", ""),
        from_email=named.get("from", ""),
        reply_to=[named["reply-to"]] if named.get("reply-to") else None,
        headers={name: value for name, value in fields.items() if name.lower() not in _OWN_FIELDS},
    )


def _values(copy: Copy, in_text: set[str], in_html: set[str]) -> dict[str, str]:
    values = {name: copy.merge[name] for name in in_text}
    return values | {f"{name}_html": segments.escape(copy.merge[name]) for name in in_html}


def _filled(source: str, copy: Copy, message: CompiledMessage) -> str:
    return segments.fill(source, copy.merge.__getitem__, slots=message.slots)


def _inert(text: str, opening: str) -> str:
    """`text` in which an article's own "%recipient." is not a field: a word joiner stands within."""
    return text.replace(opening, f"{opening[0]}\u2060{opening[1:]}")
