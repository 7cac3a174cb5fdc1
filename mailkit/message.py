"""Builds one letter: a multipart mail to one person."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.charset import QP, Charset
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.template import Context, loader
from django.template.backends.django import Template

from mailkit import headers as fields
from mailkit import mjml
from mailkit.header_text import UnsafeHeaderText, check_header_text, validate_header_text, without_unsafe

__all__ = [
    "Letter", "Sender", "UnsafeHeaderText", "check_address", "check_header_text", "check_headers", "letter",
    "validate_header_text", "without_unsafe",
]  # fmt: skip

# Quoted-printable whatever the text: no server on the way needs 8BITMIME, and no line is too long.
UTF8 = Charset("utf-8")
UTF8.body_encoding = QP

HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,75}")
# One mailbox as `addresses.normalise` returns it: nothing that could name a second recipient.
BARE_ADDRESS = re.compile(r"[^\s@,;:<>()\[\]\"\\]{1,64}@[A-Za-z0-9.-]{1,253}")

# RFC 3834: no vacation notice answers a letter; the second name is what Exchange listens to.
FIXED_HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
# What the letter itself decides. A caller who could set these could add a recipient.
OWN_HEADERS = frozenset(
    {
        "bcc", "cc", "content-transfer-encoding", "content-type", "date", "from", "message-id", "mime-version",
        "reply-to", "return-path", "sender", "subject", "to",
    }
    | {name.lower() for name in FIXED_HEADERS}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a mail comes from; `reply_to` may be empty, then answers go to `address`."""

    name: str
    address: str
    reply_to: str = ""


class Letter(EmailMultiAlternatives):
    """Django's message with its header fields written as those of bulk mail are.

    Django folds by `email.header`, which begins a long field with an empty line and writes lines of 77 characters.
    """

    def message(self) -> Any:  # type: ignore[override]  # the stubs are those of Django 6
        """As Django builds it; a field's text is encoded when the message is written out."""
        built = super().message()
        given = {"Subject": self.subject, "From": self.from_email, **self.extra_headers}
        if self.reply_to:
            given["Reply-To"] = ", ".join(self.reply_to)
        for name, value in given.items():
            built.replace_header(name, _Field(name, str(value)))
        return built


class _Field:
    """What `email.generator` asks of a header's value: to write itself after the name."""

    def __init__(self, name: str, value: str) -> None:
        self._value = value
        self._written = fields.encode(name, value).decode("ascii").partition(":")[2].strip(" \r\n")

    def __str__(self) -> str:
        return self._value

    def encode(self, *, linesep: str, **_limits: Any) -> str:
        return self._written.replace("\r\n", linesep)


def check_headers(headers: Mapping[str, str]) -> None:
    """Return when every name is a header name that a caller may set and every value is safe."""
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name):
            raise UnsafeHeaderText("A header's name consists of letters, digits and hyphens only.")
        if name.lower() in OWN_HEADERS:
            raise UnsafeHeaderText(f"{name} is set by the letter itself; leave it out of the headers.")
        check_header_text(value)


def check_address(address: str) -> None:
    """Return when `address` is one bare ASCII mailbox; otherwise raise UnsafeHeaderText."""
    check_header_text(address)
    if not (address.isascii() and BARE_ADDRESS.fullmatch(address)):
        raise UnsafeHeaderText("A letter goes to, and comes from, exactly one plain address.")


def letter(
    *,
    name: str,
    context: Mapping[str, Any],
    to: str,
    sender: Sender,
    headers: Mapping[str, str],
    message_id: str,
) -> Letter:
    """Build the letter templates/letters/<name>/ for one person; nothing is sent.

    After: one To, no Cc or Bcc, a text part written for reading and an HTML part
    compiled from MJML, both quoted-printable UTF-8, `Message-ID` as given.
    On failure: UnsafeHeaderText for text that a header cannot carry, MjmlError
    for a broken template, TemplateDoesNotExist for an unknown name.
    """
    check_headers(headers)
    check_header_text(message_id)
    for address in filter(None, (to, sender.address, sender.reply_to)):
        check_address(address)
    check_header_text(sender.name)
    subject = _plain(f"letters/{name}/subject.txt", context).strip()
    check_header_text(subject)
    mail = Letter(
        subject=subject,
        body=_plain(f"letters/{name}/body.txt", context).strip() + "\n",
        from_email=fields.mailbox(name=sender.name, address=sender.address),
        to=[to],
        reply_to=[sender.reply_to] if sender.reply_to else None,
        headers={**headers, **FIXED_HEADERS, "Message-ID": message_id},
    )
    mail.attach_alternative(
        mjml.compile(loader.render_to_string(f"letters/{name}/body.mjml", dict(context))), "text/html"
    )
    mail.encoding = UTF8
    return mail


def _plain(template_name: str, context: Mapping[str, Any]) -> str:
    """Render a text template without HTML escaping: an apostrophe stays an apostrophe."""
    template = loader.get_template(template_name)
    if not isinstance(template, Template):
        raise TypeError("Letters are Django templates.")
    return template.template.render(Context(dict(context), autoescape=False))
