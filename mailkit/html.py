"""Renders Markdown to safe HTML and to plain text."""

import unicodedata
from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from mailkit import author_messages, characters, plaintext, sandbox

Profile = Literal["article", "letter", "legal"]

MAX_BYTES = 1_000_000
MEGABYTES = 768  # address space of the child; a text at the size limit needs about half
WIDTH = 76
CHILD = "mailkit.markup_child"

TOO_LONG = _("The text is too long: at most one megabyte is possible. Please divide it into parts.")
TOO_SLOW = _(
    "The text took too long to convert. Please divide it into parts, or look for very many brackets, asterisks or "
    "angle brackets in a row."
)
TOO_HEAVY = _(
    "The text could not be converted: it takes more memory than there is for one. Please divide it into parts, or look "
    "for unusually deep lists."
)


class MarkupRefused(ValueError):
    """The Markdown is not rendered; str() is a sentence for its author."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Sanitised HTML, the same as text for reading, and the SHA-256 of the HTML in UTF-8.

    `left_out` says to the author, a sentence each, what of the text is not shown.
    """

    html: str
    text: str
    sha256: str
    left_out: tuple[str, ...] = ()


def render(markdown: str, *, profile: Profile, typed: str | None = None) -> Rendered:
    """Render an author's Markdown within limits of size, depth, memory and time.

    After: `html` has only what the profile's allow-list names (`mailkit.sanitising`)
    and may be shown as it is. On failure: MarkupRefused, within settings.MARKUP_SECONDS.
    `typed` is what the author has on the screen, if that is something else: lines are counted in it.
    """
    source = _tidy(markdown)
    seen = (source if typed is None else _tidy(typed)).decode()
    if len(source) > MAX_BYTES:
        raise MarkupRefused(TOO_LONG)
    request = {"profile": profile, "site_url": settings.SITE_URL, "media_url": settings.MEDIA_URL, "width": WIDTH}
    try:
        head, html = sandbox.run(
            module=CHILD,
            request=request,
            payload=source,
            seconds=settings.MARKUP_SECONDS,
            megabytes=MEGABYTES,
        )
    except sandbox.TimedOut:
        raise MarkupRefused(TOO_SLOW) from None
    except sandbox.Failed:
        raise MarkupRefused(TOO_HEAVY) from None
    if "refused" in head:
        raise MarkupRefused(author_messages.refusal(head["refused"], source=seen))
    left_out = author_messages.left_out(head["left_out"], source=seen)
    return Rendered(html=html.decode(), text=head["text"], sha256=head["sha256"], left_out=left_out)


def prepare() -> None:
    """The next `render` of this process is to begin at once: for somebody who waits for a preview."""
    sandbox.prepare(module=CHILD)


def to_text(html: str, *, width: int = WIDTH) -> str:
    """Readable text of sanitised HTML, links as numbered references at the end."""
    return plaintext.read(html, width=width)


def _tidy(markdown: str) -> bytes:
    """NFC, line feeds only, and no control character but tab and line feed: the library has two for itself."""
    return unicodedata.normalize("NFC", characters.text(markdown)).encode()
