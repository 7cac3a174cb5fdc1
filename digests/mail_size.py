"""The size of a mail's HTML as it is sent, and how HTML is cut to stay below the limit.

Gmail shows the first 102 KB of a mail and clips the rest, the unsubscribe link included. It is not
documented whether Gmail counts the HTML or its transfer encoding, so both stay below LIMIT. Sizes here are
bytes of quoted-printable, which are never fewer than those of the HTML itself. A letter outside ASCII has
two to four bytes of HTML, and three times as many in quoted-printable.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Final

from django.conf import settings

from mailkit import segments

# The HTML of every issue is smaller than this.
LIMIT: Final = 100_000
# What layouts aim at. The difference is a margin for the error of an estimated size.
TARGET: Final = 98_500
# A reader's link is the site's address, a path and a token of about 125 characters.
LONGEST_TOKEN: Final = 200
# A slot is on lines of its own in quoted-printable: soft line breaks before and after it.
FOLDING: Final = 9
# Elements after which a text may end.
BLOCKS: Final = frozenset("p li tr h2 h3 h4 h5 h6 blockquote pre figure ul ol dl dd table aside details div hr".split())
HEADINGS: Final = frozenset({"h2", "h3", "h4", "h5", "h6"})
VOID: Final = frozenset({"br", "hr", "img", "wbr", "col"})
# An end after a block must use at least this share of the room; otherwise the next block is cut, too.
WORTHWHILE: Final = 0.25
ELLIPSIS: Final = " …"


def sent_size(html: str) -> int:
    """Bytes of the HTML part of a reader's copy, in quoted-printable, with the longest values in its slots."""
    longest = "x" * (len(settings.SITE_URL) + LONGEST_TOKEN)
    filled, slots = segments.SLOT.subn(longest, html)
    return len(segments.quoted_literal(filled)) + FOLDING * slots


def excess(html: str) -> int:
    """How many bytes the HTML exceeds TARGET by; zero or less when it fits."""
    return sent_size(html) - TARGET


def largest(*, fits: Callable[[int], bool], least: int, limit: int) -> int:
    """The largest number from `least` to `limit` that fits, or `least`. If a number fits, so do all smaller ones."""
    fitting = bisect_right(range(least, limit + 1), False, key=lambda number: not fits(number))
    return least + max(0, fitting - 1)


def cut(html: str, *, limit: int) -> str:
    """Sanitised HTML of at most `limit` bytes in quoted-printable: unchanged, or its beginning.

    The beginning ends after a paragraph, a list entry, a table row or another block, never after a
    heading, and every element in it is closed. Where the first blocks are too large for that, it ends
    after a word (in scripts that put no space between words, after a character), with an ellipsis.
    """
    if sent_size(html) <= limit:
        return html
    beginning = _Beginning(limit)
    beginning.feed(html)
    beginning.close()
    return beginning.html()


class _Beginning(HTMLParser):
    """Copies HTML until the limit is reached, and remembers where it may end."""

    def __init__(self, limit: int) -> None:
        super().__init__(convert_charrefs=False)
        self.limit = limit
        self.size = 0
        self.pieces: list[str] = []
        self.open: list[str] = []
        self.is_full = False
        # The last block that fits: the number of pieces up to its end, their size, and the end tags still needed.
        self.block: tuple[int, int, str] = (0, 0, "")

    def html(self) -> str:
        """The part that fits, up to the best end."""
        count, size, closing = self.block
        if size >= self.limit * WORTHWHILE:
            return "".join(self.pieces[:count]) + closing
        return "".join(self.pieces) + ELLIPSIS + self._closing()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A start tag; a void element has no other."""
        self._add(self.get_starttag_text() or "", opens="" if tag in VOID else tag)
        if tag in VOID & BLOCKS:
            self._note_end(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A void element with a closing slash."""
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """An end tag. Its room was reserved by the start tag."""
        if self.is_full or not self.open or self.open[-1] != tag:
            return
        self.open.pop()
        self.pieces.append(f"</{tag}>")
        self.size += _weight(self.pieces[-1])
        if tag in BLOCKS:
            self._note_end(tag)

    def handle_data(self, data: str) -> None:
        """Text, or as much of it as fits."""
        if self.is_full or self._add(data):
            return
        length = largest(fits=lambda number: self._fits(data[:number]), least=0, limit=len(data))
        self.pieces.append(_whole_words(data[:length]))

    def handle_entityref(self, name: str) -> None:
        """A character with a name."""
        self._add(f"&{name};")

    def handle_charref(self, name: str) -> None:
        """A character with a number."""
        self._add(f"&#{name};")

    def _add(self, piece: str, *, opens: str = "") -> bool:
        """Add the piece if there is room for it, for all end tags, and for an ellipsis; returns whether there was."""
        self.is_full = self.is_full or not self._fits(piece + (f"</{opens}>" if opens else ""))
        if self.is_full:
            return False
        self.pieces.append(piece)
        self.size += _weight(piece)
        if opens:
            self.open.append(opens)
        return True

    def _fits(self, piece: str) -> bool:
        return self.size + _weight(piece + ELLIPSIS + self._closing()) <= self.limit

    def _closing(self) -> str:
        return "".join(f"</{tag}>" for tag in reversed(self.open))

    def _note_end(self, tag: str) -> None:
        if tag not in HEADINGS and not self.is_full:
            self.block = (len(self.pieces), self.size, self._closing())


def _whole_words(text: str) -> str:
    """The text without a last word that may be incomplete, unless that word is a large part of it."""
    words = text.rstrip().rpartition(" ")[0]
    return words if len(words) > len(text) // 2 else text


def _weight(piece: str) -> int:
    """Bytes of a part of some HTML in quoted-printable, its share of soft line breaks included."""
    return -(-len(segments.quoted_literal(piece)) * 26 // 25)
