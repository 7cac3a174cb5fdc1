"""Lists and code as people write them, brought into the form that Python-Markdown reads.

Python-Markdown wants four blanks for each level of a list, a blank line before it, and code that
begins at the margin. GitHub, Ghost, Buttondown and what people know by heart follow CommonMark: what
belongs to an item begins below the item's text, be that two, three or four blanks from the margin. A
first pass over the lines finds out by CommonMark's rules (5.2 and 5.3) to which item a line belongs,
and writes it with four blanks for each; code between fences is put aside. All other lines stay.
"""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from markdown import Markdown
from markdown.preprocessors import Preprocessor

from mailkit.markdown_cards import Cards

_TAB: Final = "    "
_MARKER: Final = re.compile(r"(?:(?P<bullet>[-+*])|(?P<number>[0-9]{1,9})[.)])(?P<gap> +|$)(?P<text>.*)")
_RULE: Final = re.compile(r"(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$")
_UNDERLINE: Final = re.compile(r"(?:=+|-+) *$")
_FENCE: Final = re.compile(r"(?P<fence>`{3,}(?=[^`]*$)|~{3,}) *(?P<info>.*?) *$")
_LANGUAGE: Final = re.compile(r"(?:\{ *)?\.?([A-Za-z0-9+#_-]{1,30})")
_HEADING: Final = re.compile(r"#{1,6}(?: |$)")
_TABLE: Final = re.compile(r" {0,3}\|? *:?-+:? *(?:\| *:?-+:? *)*\|? *$")
_DASHES: Final = re.compile("-+")
# Between these, lines are the author's own to the letter.
_VERBATIM: Final = re.compile(r"<(pre|script|style|textarea)\b(?!.*</\1>)", re.IGNORECASE)


MAX_ROWS: Final = 1_000
MAX_CELLS: Final = 10_000
MAX_ITEMS: Final = 3_000
# Lines of a table that distinguish it from another one with the same head.
_ENOUGH: Final = 8


class LimitExceeded(Exception):
    """More than is shown of something: "depth", "rows", "cells" or "items"; `begins` are its first lines, if known."""

    def __init__(self, limit: str, most: int, begins: Sequence[str] = ()) -> None:
        super().__init__(limit)
        self.limit = limit
        self.most = most
        self.begins = begins


class CommonMarkBlocks(Preprocessor):
    """Runs after blanks are normal and before raw HTML is taken out, so that code may hold HTML."""

    def __init__(self, md: Markdown, *, deepest: int, cards: Cards | None = None) -> None:
        super().__init__(md)
        self._deepest = deepest
        self._cards = cards

    def run(self, lines: list[str]) -> list[str]:
        """The same text, with lists, quotations and code as the library expects them. Raises `LimitExceeded`."""
        return _Lines(lines, _Shared(self.md.htmlStash.store, self._deepest, self._cards), level=0).written()


@dataclass(slots=True)
class _Item:
    """An open item: where its marker is, where its text begins, and what sort of item it is."""

    indent: int
    content: int
    numbered: bool
    has_blank: bool = False


@dataclass(slots=True)
class _Shared:
    """What a text and the quotations in it have together: where code is put aside, and how much there is."""

    store: Callable[[str], str]
    deepest: int
    cards: Cards | None
    items: int = 0


class _Lines:
    """One pass over the lines of a text, or of what a quotation holds."""

    def __init__(self, lines: Sequence[str], shared: _Shared, *, level: int) -> None:
        self._lines = lines
        self._shared = shared
        self._level = level
        self._out: list[str] = []
        self._items: list[_Item] = []
        # What was before: "blank", "text" or a "quote" that the next line may go on, or a "block" of its own.
        self._before = "blank"

    def written(self) -> list[str]:
        """All lines."""
        if self._level > self._shared.deepest:
            raise LimitExceeded("depth", self._shared.deepest)
        at = 0
        while at < len(self._lines):
            at = self._take(at)
        if self._shared.cards and not self._level:
            self._blocks(self._shared.cards.close())
        return self._out

    def _take(self, at: int) -> int:
        """Write the line at `at`, and those that belong to it; return where the next one is."""
        line = self._lines[at]
        text = line.lstrip(" ")
        if not text:
            self._blank()
            return at + 1
        indent = len(line) - len(text)
        depth = self._depth(indent)
        if indent - self._margin(depth) < len(_TAB):
            if verbatim := _VERBATIM.match(text):
                return self._verbatim(at, verbatim[1], depth)
            if fence := _FENCE.match(text):
                return self._code(at, fence, indent, depth)
            if text.startswith(">"):
                return self._quotation(at, depth)
            if text.startswith(":::") and not depth and self._card(text):
                return at + 1
            if (marker := _MARKER.match(text)) and not _RULE.match(text) and self._begins_item(marker, indent):
                return self._item(at, marker, indent)
        self._text(at, indent, depth)
        return at + 1

    def _blank(self) -> None:
        self._out.append("")
        self._before = "blank"
        for item in self._items:
            item.has_blank = True

    def _card(self, text: str) -> bool:
        """Write a line of colons as the card that it is; cards are not within lists and quotations."""
        if not self._shared.cards or self._level or (blocks := self._shared.cards.read(text)) is None:
            return False
        self._blocks(blocks)
        return True

    def _blocks(self, blocks: Sequence[str]) -> None:
        """Put finished HTML aside, each piece as a block of its own."""
        for block in blocks:
            self._separate()
            del self._items[:]
            self._out.append(self._shared.store(block))
            self._blank()

    def _separate(self) -> None:
        """A blank line, if there is none."""
        if self._before != "blank":
            self._blank()

    def _depth(self, indent: int) -> int:
        """How many of the open items a line with this indent lies within."""
        depth = 0
        while depth < len(self._items) and self._items[depth].content <= indent:
            depth += 1
        return depth

    def _depth_of_marker(self, indent: int, *, numbered: bool) -> int:
        """As `_depth`; bullets two blanks within a numbered item are meant to be its own."""
        depth = self._depth(indent)
        if depth < len(self._items):
            item = self._items[depth]
            if item.numbered and not numbered and indent >= item.indent + 2:
                return depth + 1
        return depth

    def _margin(self, depth: int) -> int:
        return self._items[depth - 1].content if depth else 0

    def _begins_item(self, marker: re.Match[str], indent: int) -> bool:
        """A list may follow a paragraph at once if it has a text, and if it is numbered, only from 1."""
        depth = self._depth_of_marker(indent, numbered=not marker["bullet"])
        if self._before != "text" or depth < len(self._items):
            return True
        return bool(marker["text"]) and (marker["number"] or "1") == "1"

    def _item(self, at: int, match: re.Match[str], indent: int) -> int:
        numbered = not match["bullet"]
        depth = self._depth_of_marker(indent, numbered=numbered)
        self._count(at, depth + self._markers(match["text"]))
        if self._needs_blank(depth, numbered=numbered):
            self._separate()
        marker = f"{match['number']}." if numbered else str(match["bullet"])
        gap = len(match["gap"]) if match["text"] and len(match["gap"]) <= len(_TAB) else 1
        content = indent + match.start("gap") + gap
        self._items[depth:] = [_Item(indent, content, numbered)]
        head = f"{_TAB * depth}{marker} "
        if fence := _FENCE.match(match["text"]):
            return self._code(at, fence, content, depth + 1, head=head)
        # Nothing at all would make a heading of the line above.
        self._out.append(head + (match["text"] or self._shared.store("")))
        self._before = "text" if match["text"] else "block"
        return at + 1

    def _markers(self, text: str) -> int:
        """How many more items begin in an item's first line, as in "- - 1. text"; not beyond what matters."""
        count = at = 0
        while count <= self._shared.deepest and (marker := _MARKER.match(text, at)) and marker["gap"]:
            count, at = count + 1, marker.start("text")
        return count

    def _count(self, at: int, depth: int) -> None:
        """Refuse what takes the library longer than a text may, with the reason: it reads each level again."""
        self._shared.items += 1
        if self._shared.items > MAX_ITEMS:
            raise LimitExceeded("items", MAX_ITEMS)
        if self._level + depth >= self._shared.deepest:
            raise LimitExceeded("depth", self._shared.deepest, [self._lines[at]])

    def _needs_blank(self, depth: int, *, numbered: bool) -> bool:
        """Whether the library finds an item here only after a blank line."""
        if self._before == "quote":
            return True
        if depth < len(self._items):
            before = self._items[depth]
            return before.numbered != numbered or before.has_blank
        # The first list of an item whose text is one paragraph is found by itself.
        return not depth or self._items[depth - 1].has_blank

    def _text(self, at: int, indent: int, depth: int) -> None:
        line = self._lines[at]
        text = line.lstrip(" ")
        before, closes = self._before, depth < len(self._items)
        follows_text = before in {"text", "quote"}
        is_underline = before == "text" and not closes and _UNDERLINE.match(text)
        is_block = bool(_HEADING.match(text) or (_RULE.match(text) and not is_underline))
        if follows_text and self._items and (marker := _MARKER.match(text)):
            # No item, but the library would take it for one.
            text = f"{text[: marker.start('gap') - 1]}\\{text[marker.start('gap') - 1 :]}"
        if follows_text and closes and not is_block:
            # A paragraph's next line need not be indented.
            self._out.append(_TAB * len(self._items) + text)
            return
        if (is_block and (self._items or before != "text")) or (closes and before == "block") or self._begins_table(at):
            self._separate()
        del self._items[depth:]
        beyond = indent - self._margin(depth)
        is_code = beyond >= len(_TAB)
        self._out.append(line if not depth else _TAB * depth + " " * (beyond if is_code else 0) + text)
        self._before = (
            "block" if is_block or (is_code and not follows_text) else "quote" if before == "quote" else "text"
        )

    def _begins_table(self, at: int) -> bool:
        below = self._lines[at + 1] if at + 1 < len(self._lines) else ""
        if "|" not in self._lines[at] or "|" not in below or _TABLE.match(below.strip()) is None:
            return False
        self._check_size(at, columns=len(_DASHES.findall(below)))
        return True

    def _check_size(self, at: int, *, columns: int) -> None:
        """Refuse a table that takes longer than a text may, with the reason."""
        table = itertools.takewhile(str.strip, itertools.islice(self._lines, at, at + MAX_ROWS + 3))
        rows = sum(1 for _ in table) - 1  # the head counts, the line below it does not
        if rows > MAX_ROWS:
            raise LimitExceeded("rows", MAX_ROWS, self._lines[at : at + _ENOUGH])
        if rows * columns > MAX_CELLS:
            raise LimitExceeded("cells", MAX_CELLS, self._lines[at : at + _ENOUGH])

    def _verbatim(self, at: int, tag: str, depth: int) -> int:
        del self._items[depth:]
        end = f"</{tag.lower()}>"
        while at < len(self._lines):
            line = self._lines[at]
            self._out.append(_TAB * depth + line[min(self._margin(depth), len(line) - len(line.lstrip(" "))) :])
            at += 1
            if end in line.lower():
                break
        self._before = "block"
        return at

    def _quotation(self, at: int, depth: int) -> int:
        """A quotation is a text of its own."""
        quoted: list[str] = []
        while at < len(self._lines):
            line = self._lines[at]
            text = line.lstrip(" ")
            if not text.startswith(">") or len(line) - len(text) < self._margin(depth):
                break
            quoted.append(text[1:].removeprefix(" "))
            at += 1
        self._separate()
        del self._items[depth:]
        within = _Lines(quoted, self._shared, level=self._level + 1).written()
        self._out += [f"{_TAB * depth}> {line}".rstrip(" ") for line in within]
        self._before = "quote"
        return at

    def _code(self, at: int, fence: re.Match[str], indent: int, depth: int, *, head: str = "") -> int:
        """Put code between fences aside; without a second fence it ends with its item, or with the text."""
        ends = re.compile(rf"{fence['fence'][0]}{{{len(fence['fence'])},}} *$").match
        del self._items[depth:]
        code: list[str] = []
        at += 1
        while at < len(self._lines):
            line = self._lines[at]
            text = line.lstrip(" ")
            inside = len(line) - len(text)
            if text and depth and inside < self._margin(depth):
                break
            at += 1
            if inside - self._margin(depth) < len(_TAB) and ends(text):
                break
            code.append(line[min(indent, inside) :])
        else:
            while code and not code[-1]:
                code.pop()
        if not head:
            self._separate()
        self._out.append((head or _TAB * depth) + self._shared.store(_code_html(code, fence["info"])))
        self._blank()
        return at


def _code_html(lines: Sequence[str], info: str) -> str:
    language = _LANGUAGE.match(info)
    attribute = f' class="language-{language[1]}"' if language else ""
    code = "".join(f"{line}\n" for line in lines)
    return f"<pre><code{attribute}>{escape(code)}</code></pre>"
