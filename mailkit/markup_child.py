"""The sandboxed half of `mailkit.html`: Markdown to HTML, allow-list, limits, plain text.

Runs as a process of its own (`mailkit.sandbox`), because Python-Markdown and the
HTML parser behind nh3 are quadratic for some inputs. It reads no settings.
"""

import hashlib
from html.parser import HTMLParser
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

import markdown
from markdown.extensions import Extension, abbr, def_list, footnotes, sane_lists, smarty, tables
from markdown.treeprocessors import Treeprocessor

from mailkit import (
    anchors,
    highlighting,
    markdown_blocks,
    markdown_cards,
    markdown_inline,
    plaintext,
    removals,
    sandbox,
    sanitising,
)

MAX_NESTING = 50
# Parts of a list, table or paragraph: their parent is what counts as a level.
NOT_A_LEVEL = frozenset({"dd", "dt", "li", "p", "summary", "figcaption", "tbody", "td", "tfoot", "th", "thead", "tr"})
VOID = frozenset({"br", "hr", "img"})

# In these, a link may lead to a heading of the same page; a letter has no page of its own.
WITH_ANCHORS = frozenset({"article", "legal"})


class Converted(NamedTuple):
    """Sanitised HTML, and what was left out of what the author wrote."""

    html: str
    removals: list[removals.Removal]


class DemoteHeadings(Treeprocessor):
    """The page has its own first heading, so an author's `# Heading` is a second one."""

    def run(self, root: Element) -> None:
        """Rename every h1."""
        for heading in root.iter("h1"):
            heading.tag = "h2"


class OwnRules(Extension):
    """Our own changes to Python-Markdown; with `cards`, lines of three colons are cards."""

    def __init__(self, cards: markdown_cards.Cards | None) -> None:
        super().__init__()
        self._cards = cards

    def extendMarkdown(self, md: markdown.Markdown) -> None:  # noqa: N802  # the library's name
        """Register them."""
        blocks = markdown_blocks.CommonMarkBlocks(md, deepest=MAX_NESTING, cards=self._cards)
        md.preprocessors.register(blocks, "commonmark_blocks", 25)
        md.treeprocessors.register(DemoteHeadings(md), "demote_headings", 5)


class Depth(HTMLParser):
    """Measures how deeply sanitised, therefore well-formed, HTML is nested."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.deepest = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One level down."""
        if tag not in NOT_A_LEVEL and tag not in VOID:
            self.depth += 1
            self.deepest = max(self.deepest, self.depth)

    def handle_endtag(self, tag: str) -> None:
        """One level up."""
        if tag not in NOT_A_LEVEL:
            self.depth -= 1


def render(text: str, *, profile: str, place: sanitising.Place) -> Converted:
    """Sanitised HTML of `text`, and what is not in it. On failure: markdown_blocks.LimitExceeded."""
    # Objects, not names: to look a name up, the library reads what every installed package says about itself.
    cards = markdown_cards.Cards() if profile == "article" else None
    extensions: list[Extension] = [
        OwnRules(cards),
        sane_lists.SaneListExtension(),
        smarty.SmartyExtension(),
        markdown_inline.Inline(),
        tables.TableExtension(use_align_attribute=True),
        abbr.AbbrExtension(),
        def_list.DefListExtension(),
    ]
    if profile == "article":
        extensions.append(
            footnotes.FootnoteExtension(SEPARATOR="-", BACKLINK_TEXT="\N{LEFTWARDS ARROW WITH HOOK}\ufe0e")
        )
    converter = markdown.Markdown(extensions=extensions, output_format="html")
    try:
        converted = converter.convert(text)
        html = highlighting.highlight(sanitising.clean(converted, profile=profile, place=place))
    except RecursionError:
        raise markdown_blocks.LimitExceeded("depth", MAX_NESTING) from None
    depth = Depth()
    depth.feed(html)
    if depth.deepest > MAX_NESTING:
        raise markdown_blocks.LimitExceeded("depth", MAX_NESTING)
    left_out = [*(cards.removals if cards else []), *removals.find(converted, profile=profile, place=place)]
    if profile in WITH_ANCHORS:
        html, dead = anchors.connect(html)
        left_out += [removals.Removal("anchor", "a", href, (f"({href}", f'"{href}', href)) for href in dead]
    return Converted(html, left_out)


def respond(request: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
    """Render the request, or say which limit it goes over and where."""
    place = sanitising.Place(site_url=request["site_url"], media_url=request["media_url"])
    try:
        html, left_out = render(payload.decode(), profile=request["profile"], place=place)
    except markdown_blocks.LimitExceeded as reason:
        places = ["\n".join(reason.begins), *reason.begins[:1]] if reason.begins else []
        return {"refused": {"limit": reason.limit, "most": reason.most, "places": places}}, b""
    return {
        "text": plaintext.read(html, width=request["width"]),
        "sha256": hashlib.sha256(html.encode()).hexdigest(),
        "left_out": [removal.as_json() for removal in left_out],
    }, html.encode()


if __name__ == "__main__":
    sandbox.serve(respond)
