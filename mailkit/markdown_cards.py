"""Cards: blocks that Markdown has no sign for, written as lines that begin with three colons.

    ::: note What the figures are             ::: story the-address-of-a-story
    Text in **Markdown**.                     ::: signup tech-news
    :::                                       ::: embed https://vimeo.com/76979871 The dam at night

A note, a warning and a quote hold Markdown up to a line of three colons. The others are one line: here
they become an empty place with what was typed, and `articles.cards` fills it whenever it is shown.
"""

import re
from dataclasses import dataclass, field
from html import escape
from typing import Final

from mailkit import sanitising
from mailkit.removals import LONGEST, Removal

_LINE: Final = re.compile(r":::+ *(?P<kind>[A-Za-z]*)(?: +(?P<rest>.*?))? *:*$")
_BOXES: Final = frozenset({"note", "warning"})
_PLACES: Final = frozenset({"story", "signup", "embed"})


@dataclass(slots=True)
class Cards:
    """The cards of one text: what is open, and what was no card."""

    removals: list[Removal] = field(default_factory=list)
    _end: str = ""

    def read(self, line: str) -> list[str] | None:
        """The HTML of a line of colons, a block each; None when the line is text like any other."""
        if not (match := _LINE.match(line)):
            return None
        kind, rest = match["kind"].lower(), match["rest"] or ""
        if not kind:
            return self.close()
        if kind in _PLACES and (place := _place(kind, rest)):
            return [*self.close(), place]
        if kind in _BOXES:
            return [*self.close(), self._box(kind, rest)]
        if kind == "quote":
            return [*self.close(), self._quote(rest)]
        self.removals.append(Removal("card", kind, line[:LONGEST], (line,)))
        return None

    def close(self) -> list[str]:
        """The end of the card that is open, if one is."""
        ends, self._end = [self._end] if self._end else [], ""
        return ends

    def _box(self, kind: str, title: str) -> str:
        self._end = "</aside>"
        return f'<aside class="card-{kind}">' + (f"<p><strong>{escape(title)}</strong></p>" if title else "")

    def _quote(self, speaker: str) -> str:
        caption = f"<figcaption>{escape(speaker)}</figcaption>" if speaker else ""
        self._end = f"</blockquote>{caption}</figure>"
        return '<figure class="card-quote"><blockquote>'


def _place(kind: str, rest: str) -> str:
    """An empty place, or nothing when the line does not say what belongs there."""
    name, _, title = rest.partition(" ")
    card = f"{kind} {name}".strip()
    if not sanitising.VALUES["data-card"].fullmatch(card):
        return ""
    return f'<div data-card="{escape(card)}">{escape(title.strip())}</div>'
