"""Markdown in, safe HTML and readable text out."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from django.conf import settings

from mailkit import confined, plaintext

Profile = Literal["article", "letter", "legal"]

MAX_BYTES = 1_000_000
MEGABYTES = 768  # address space of the child; a text at the size limit needs about half
WIDTH = 76

# Python-Markdown marks its own place-holders with U+0002 and U+0003: a text that brings them could forge one.
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

TOO_LONG = "The text is too long: at most one megabyte is possible. Please divide it into parts."
TOO_SLOW = (
    "The text took too long to convert. Please look for very many brackets, asterisks or angle brackets "
    "in a row, or divide the text into parts."
)
TOO_HEAVY = "The text could not be converted. Please look for unusually deep lists or very large tables."


class MarkupRefused(ValueError):
    """The Markdown is not rendered; str() is a sentence for its author."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Sanitised HTML, the same as text for reading, and the SHA-256 of the HTML in UTF-8."""

    html: str
    text: str
    sha256: str


def render(markdown: str, *, profile: Profile) -> Rendered:
    """Render an author's Markdown within limits of size, depth, memory and time.

    After: `html` has only what the profile's allow-list names (`mailkit.sanitising`)
    and may be shown as it is. On failure: MarkupRefused, within settings.MARKUP_SECONDS.
    """
    source = _tidy(markdown)
    if len(source) > MAX_BYTES:
        raise MarkupRefused(TOO_LONG)
    request = {"profile": profile, "site_url": settings.SITE_URL, "media_url": settings.MEDIA_URL, "width": WIDTH}
    try:
        head, html = confined.run(
            module="mailkit.markup_child",
            request=request,
            payload=source,
            seconds=settings.MARKUP_SECONDS,
            megabytes=MEGABYTES,
        )
    except confined.TookTooLong:
        raise MarkupRefused(TOO_SLOW) from None
    except confined.Failed:
        raise MarkupRefused(TOO_HEAVY) from None
    if "refused" in head:
        raise MarkupRefused(head["refused"])
    return Rendered(html=html.decode(), text=head["text"], sha256=head["sha256"])


def to_text(html: str, *, width: int = WIDTH) -> str:
    """Readable text of sanitised HTML, links as numbered references at the end."""
    return plaintext.read(html, width=width)


def _tidy(markdown: str) -> bytes:
    """NFC, line feeds only, and no control character but tab and line feed."""
    lines = markdown.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", CONTROLS.sub("", lines)).encode()
