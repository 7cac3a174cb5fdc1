"""One letter: what a header may say, and how the parts of a mail are put together.

Django refuses only CR and LF in headers. Five more control characters become a
raw newline inside `email.header`, which ends the header block early, so every
text that reaches a header passes `check_header_text` here, whoever wrote it.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from email.charset import QP, Charset
from email.utils import formataddr
from typing import Any

from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.template import Context, loader
from django.template.backends.django import Template

from mailkit import mjml

# Quoted-printable whatever the text: no server on the way needs 8BITMIME, and no line is too long.
UTF8 = Charset("utf-8")
UTF8.body_encoding = QP

FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})
BIDI_CONTROLS = frozenset(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]))

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


class UnsafeHeaderText(ValueError):
    """The text would break, or disguise, the header that it is written into."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a mail comes from; `reply_to` may be empty, then answers go to `address`."""

    name: str
    address: str
    reply_to: str = ""


def check_header_text(value: str) -> None:
    """Return when `value` may stand in a mail header; otherwise raise UnsafeHeaderText.

    Refused: every control character (Cc), line and paragraph separators (Zl, Zp),
    lone surrogates (Cs) and the controls that reorder text (U+202A-202E, U+2066-2069).
    The sentence names the character and its place, and never repeats the text.
    """
    for position, character in enumerate(value, start=1):
        if _is_unsafe(character):
            raise UnsafeHeaderText(
                f"Character {position} is invisible (U+{ord(character):04X}) and cannot be part of a mail's header. "
                "Delete it; if the text was pasted, type that spot again."
            )


def without_unsafe(value: str) -> str:
    """The text without the characters that `check_header_text` refuses, for a line that nobody typed as one."""
    return "".join(character for character in value if not _is_unsafe(character))


def validate_header_text(value: str) -> None:
    """`check_header_text` as a model or form validator: raises ValidationError instead."""
    try:
        check_header_text(value)
    except UnsafeHeaderText as error:
        raise ValidationError(str(error), code="unsafe_header_text") from error


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
) -> EmailMultiAlternatives:
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
    mail = EmailMultiAlternatives(
        subject=subject,
        body=_plain(f"letters/{name}/body.txt", context).strip() + "\n",
        from_email=formataddr((sender.name, sender.address)),
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


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in FORBIDDEN_CATEGORIES or character in BIDI_CONTROLS
