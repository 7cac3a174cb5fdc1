"""Markdown extensions within a line: bare links, ~~strikethrough~~ and task list items."""

import re
from typing import Any, Final
from xml.etree.ElementTree import Element

from markdown import Markdown, util
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from markdown.treeprocessors import Treeprocessor

from mailkit import sanitising

# An address on the web or of a person, up to the next blank, bracket or quotation mark (GFM 6.9).
_BARE: Final = (
    r"(?<![A-Za-z0-9_@/])(?:(?:[Hh]ttps?://|www\.(?=[\w-]+\.))[^\s<>\"`\x02\x03\u201c-\u201f\u00ab\u00bb]+"
    r"|(?<![.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
)
# What ends a sentence, or an emphasis, rather than an address.
_NOT_LAST: Final = (
    "?!.,:;*_~'\u2018\u2019\u2026\u3001\u3002\uff0c\uff01\uff1f\uff1a\uff1b\uff09\u300b\u300d\u300f\u3011"
)
_RAW_TAG: Final = re.compile(re.escape(util.HTML_PLACEHOLDER).replace("%s", "([0-9]+)"))
# How many tags within a link's text are looked back over for its beginning.
_NEAR: Final = 20
# Nothing that any pattern, or the one for quotation marks and dashes, would change.
_PLAIN: Final = re.compile(r"[^\\`*_\[\]!<>&~@:\n\x02'\"-]*").fullmatch
_TASK: Final = re.compile(r"\[([ xX])\] ")
_BOXES: Final = {" ": "\N{BALLOT BOX}", "x": "\N{BALLOT BOX WITH CHECK}"}


class BareLinks(InlineProcessor):
    """Makes links of bare addresses: not within code or another link, and without the full stop behind them."""

    ANCESTOR_EXCLUDES = ("a",)

    def handleMatch(self, m: re.Match[str], data: str) -> tuple[Any, int | None, int | None]:  # type: ignore[override]  # noqa: N802  # the library's name
        """The link, or nothing where there is none."""
        shown = trimmed(m[0]) if len(m[0]) <= sanitising.MAX_URL else ""
        href = f"mailto:{shown}" if "@" in shown and "/" not in shown else shown
        href = f"http://{href}" if href.startswith("www.") else href
        if not shown or sanitising.safe_link(href) is None or self._in_link(data, m.start()):
            return None, None, None
        link = Element("a", {"href": href})
        link.text = util.AtomicString(shown)
        return link, m.start(), m.start() + len(shown)

    def _in_link(self, data: str, at: int) -> bool:
        """True within an author's own <a>, which the library has put aside already."""
        for _ in range(_NEAR):
            at = data.rfind(util.INLINE_PLACEHOLDER_PREFIX, 0, max(at, 0))
            placeholder = util.INLINE_PLACEHOLDER_RE.match(data, at) if at >= 0 else None
            tag = self._put_aside(placeholder[1]) if placeholder else "</a"
            if tag.startswith(("<a ", "<a>", "</a")):
                return not tag.startswith("</")
        return False

    def _put_aside(self, key: str) -> str:
        """The author's tag behind a placeholder, in small letters; empty for anything else."""
        node = self.md.treeprocessors["inline"].stashed_nodes.get(key)  # type: ignore[attr-defined]  # the library's own
        match = _RAW_TAG.fullmatch(node) if isinstance(node, str) else None
        return str(self.md.htmlStash.rawHtmlBlocks[int(match[1])]).lower() if match else ""


class Tasks(Treeprocessor):
    """Shows `[ ]` and `[x]` at the beginning of an item as boxes: characters, for a mail has no forms."""

    def run(self, root: Element) -> None:
        """Change the items in their place."""
        for item in root.iter("li"):
            holder = item if (item.text or "").strip() or not len(item) else item[0]
            if (box := _TASK.match(holder.text or "")) and holder.tag in {"li", "p"}:
                holder.text = f"{_BOXES[box[1].lower()]} {(holder.text or '')[box.end() :]}"
                item.set("class", "task")


class PlainTexts(Treeprocessor):
    """Lets the patterns pass over texts in which none of them finds anything: most cells of a long table."""

    def run(self, root: Element) -> None:
        """Mark them as finished. Where the text explains abbreviations, none is: each may hold one."""
        if self.md.treeprocessors["abbr"].abbrs:  # type: ignore[attr-defined]  # of the extension that is always there
            return
        for element in root.iter():
            if element.text and _PLAIN(element.text) and ".." not in element.text and "www." not in element.text:
                element.text = util.AtomicString(element.text)


class Inline(Extension):
    """All of this module."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  # the library's name
        """Register: addresses after links, code and tags have been taken out, and before emphasis."""
        md.inlinePatterns.register(BareLinks(_BARE, md), "bare_links", 75)
        md.delimiters.add("~", "del", double=True)  # type: ignore[union-attr]  # built with the patterns
        md.treeprocessors.register(PlainTexts(md), "plain_texts", 25)
        md.treeprocessors.register(Tasks(md), "tasks", 15)


def trimmed(address: str) -> str:
    """An address without what follows it: punctuation, and brackets that were opened before it."""
    while address:
        last = address[-1]
        is_unopened = last in ")]" and address.count(last) > address.count("(["[")]".index(last)])
        if last not in _NOT_LAST and not is_unopened:
            break
        address = address[:-1]
    return address
