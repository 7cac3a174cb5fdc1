"""Converts HTML to plain text: wrapped, with links as numbered references."""

import re
import textwrap
from collections.abc import Iterator
from html.parser import HTMLParser

VOID = frozenset({"br", "hr", "img", "wbr", "col", "meta", "link", "input", "source"})
SILENT = frozenset({"head", "script", "style", "template", "title"})
BLOCKS = frozenset(
    "address article aside blockquote body caption dd details div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 "
    "header hr html li main nav ol p pre section summary table tbody td tfoot th thead tr ul".split()
)
# In a mail, the cell of a table is the box that an aside is on a page.
BOXES = frozenset({"card-note", "card-warning"})
UNDERLINES = {"h1": "=", "h2": "-"}
MAX_DEPTH = 200  # deeper elements are read as text of the one at this depth
MIN_WIDTH = 24
SPACES = re.compile(r"[ \t\r\n\f]+")


class Node:
    """One element: its tag, its attributes and what is in it."""

    __slots__ = ("attributes", "children", "tag")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Node | str] = []

    def of(self, *tags: str) -> list["Node"]:
        """The child elements with one of these tags."""
        return [child for child in self.children if isinstance(child, Node) and child.tag in tags]


class TreeBuilder(HTMLParser):
    """Builds the tree; forgives what is not closed or never opened."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("body", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add an element; a void one, or one too deep, stays without children."""
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(node)
        if tag not in VOID and len(self.open) < MAX_DEPTH:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        """Close the nearest open element of this name, and all inside it."""
        for depth in range(len(self.open) - 1, 0, -1):
            if self.open[depth].tag == tag:
                del self.open[depth:]
                return

    def handle_data(self, data: str) -> None:
        """Add text."""
        self.open[-1].children.append(data)


def read(html: str, *, width: int) -> str:
    """The text of `html` in lines of at most `width` characters, save for long words and addresses.

    Links become `text [1]`, and the addresses follow at the end in the same order.
    """
    builder = TreeBuilder()
    builder.feed(html)
    builder.close()
    reader = Reader()
    blocks = ["\n".join(block) for block in reader.blocks(builder.root, width)]
    if reader.links:
        blocks.append("\n".join(f"[{number}] {link}" for link, number in reader.links.items()))
    return "\n\n".join(blocks)


class Reader:
    """Turns nodes into blocks of lines, and remembers the links that it met."""

    def __init__(self) -> None:
        self.links: dict[str, int] = {}

    def blocks(self, node: Node, width: int) -> list[list[str]]:
        """The blocks of what is inside `node`; neighbouring inline parts are one paragraph."""
        blocks: list[list[str]] = []
        inline: list[Node | str] = []
        for child in node.children:
            if isinstance(child, Node) and child.tag in BLOCKS:
                blocks += self._paragraph(inline, width)
                blocks += self._block(child, width)
                inline = []
            else:
                inline.append(child)
        return blocks + self._paragraph(inline, width)

    def _block(self, node: Node, width: int) -> list[list[str]]:
        width = max(width, MIN_WIDTH)
        if node.tag in {"ul", "ol"}:
            return self._list(node, width)
        if node.tag == "blockquote":
            return [_prefixed(_joined(self.blocks(node, width - 2)), "> ", "> ")] if node.children else []
        if node.tag == "pre":
            return [_raw_text(node).strip("\n").split("\n")]
        if node.tag == "hr":
            return [["* * *"]]
        if node.tag == "aside" or node.attributes.get("class") in BOXES:
            return [_prefixed(_joined(self.blocks(node, width - 2)), "| ", "| ")] if node.children else []
        if node.tag == "table" and node.attributes.get("role") != "presentation":
            return self._table(node, width)
        if node.tag == "dl":
            return self._definitions(node, width)
        blocks = self.blocks(node, width)
        if node.tag in UNDERLINES and blocks:
            longest = max(len(line) for line in blocks[-1])
            blocks[-1].append(UNDERLINES[node.tag] * min(longest, width))
        return blocks

    def _list(self, node: Node, width: int) -> list[list[str]]:
        first = int(start) if (start := node.attributes.get("start", "")).isdecimal() else 1
        items: list[list[str]] = []
        tight = True
        for number, item in enumerate(node.of("li"), start=first):
            mark = f"{number}. " if node.tag == "ol" else "- "
            parts = self.blocks(item, width - len(mark))
            tight = tight and _is_tight(item)
            items.append(_prefixed(_joined(parts, gap=not tight), mark, " " * len(mark)))
        return [[line for item in items for line in item]] if tight and items else items

    def _definitions(self, node: Node, width: int) -> list[list[str]]:
        entries: list[list[str]] = []
        for part in node.of("dt", "dd"):
            if part.tag == "dt" or not entries:
                entries.append([])
            indent = "    " if part.tag == "dd" else ""
            entries[-1] += _prefixed(_joined(self.blocks(part, width - len(indent))), indent, indent)
        return entries

    def _paragraph(self, inline: list[Node | str], width: int) -> list[list[str]]:
        text = "".join(self._inline(part) for part in inline)
        lines = [SPACES.sub(" ", line).strip() for line in text.split("\x00")]
        wrapped = [part for line in lines for part in (_wrap(line, width) if line else [""])]
        while wrapped and not wrapped[-1]:
            wrapped.pop()
        while wrapped and not wrapped[0]:
            wrapped.pop(0)
        return [wrapped] if wrapped else []

    def _inline(self, part: Node | str) -> str:
        """Running text; U+0000 is a forced line break until the paragraph is wrapped."""
        if isinstance(part, str):
            return part.replace("\x00", "")
        if part.tag in SILENT:
            return ""
        if part.tag == "br":
            return "\x00"
        if part.tag == "img":
            return f"[Picture: {alt}]" if (alt := part.attributes.get("alt", "").strip()) else ""
        text = "".join(self._inline(child) for child in part.children)
        if part.tag == "a":
            return self._link(part, text)
        if part.tag == "sup" and text.strip():
            return f"^{text.strip()}"
        if part.tag in {"del", "s"} and text.strip():
            return f"~~{text}~~"
        return f"“{text}”" if part.tag == "q" else text

    def _link(self, node: Node, text: str) -> str:
        href = node.attributes.get("href", "")
        if node.attributes.get("class") == "footnote-backref":
            return ""
        if not href or href.startswith("#") or node.attributes.get("class") == "footnote-ref":
            return text
        shown = SPACES.sub(" ", text.replace("\x00", " ")).strip()
        if shown in {"", href, href.removeprefix("mailto:"), href.removeprefix("http://")}:
            return href.removeprefix("mailto:")
        return f"{text.rstrip()} [{self.links.setdefault(href, len(self.links) + 1)}]"

    def _table(self, node: Node, width: int) -> list[list[str]]:
        caption = [block for part in node.of("caption") for block in self.blocks(part, width)]
        rows = [[self._cell(cell) for cell in row.of("td", "th")] for row in _rows(node)]
        rows = [row for row in rows if any(row)]
        if not rows:
            return caption
        columns = max(map(len, rows))
        rows = [row + [""] * (columns - len(row)) for row in rows]
        widths = [max(len(row[column]) for row in rows) for column in range(columns)]
        if sum(widths) + 3 * (columns - 1) > width:
            return caption + _stacked(rows, width)
        lines = [" | ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in rows]
        if _has_header(node):
            lines.insert(1, "-+-".join("-" * size for size in widths))
        return [*caption, lines]

    def _cell(self, cell: Node) -> str:
        return SPACES.sub(" ", " ".join(line for block in self.blocks(cell, 10_000) for line in block)).strip()


def _is_tight(item: Node) -> bool:
    """True when an item has one paragraph, and lists below it, at most."""
    has_words = any(part.strip() if isinstance(part, str) else part.tag not in BLOCKS for part in item.children)
    blocks = [part for part in item.children if isinstance(part, Node) and part.tag in BLOCKS - {"ol", "ul"}]
    return has_words + len(blocks) <= 1


def _rows(table: Node) -> Iterator[Node]:
    for part in table.children:
        if isinstance(part, Node) and part.tag == "tr":
            yield part
        elif isinstance(part, Node) and part.tag in {"thead", "tbody", "tfoot"}:
            yield from part.of("tr")


def _has_header(table: Node) -> bool:
    first = next(_rows(table), None)
    return first is not None and bool(first.of("th")) and not first.of("td")


def _stacked(rows: list[list[str]], width: int) -> list[list[str]]:
    """A table too wide for the page: one block per row, each cell under its column's name."""
    names, *body = rows if len(rows) > 1 else [[""] * len(rows[0]), rows[0]]
    return [
        [
            line
            for name, cell in zip(names, row, strict=True)
            if cell
            for line in _wrap(f"{name}: {cell}" if name else cell, width)
        ]
        for row in body
    ]


def _wrap(line: str, width: int) -> list[str]:
    return textwrap.wrap(line, max(width, MIN_WIDTH), break_long_words=False, break_on_hyphens=False)


def _joined(blocks: list[list[str]], *, gap: bool = True) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        lines += [""] if lines and gap else []
        lines += block
    return lines


def _prefixed(lines: list[str], first: str, rest: str) -> list[str]:
    return [f"{first if number == 0 else rest}{line}".rstrip() for number, line in enumerate(lines)]


def _raw_text(node: Node) -> str:
    return "".join(child if isinstance(child, str) else _raw_text(child) for child in node.children)
