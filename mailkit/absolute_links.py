"""One parsed pass over sanitised HTML: every address in it made whole, for readers who are not on the page.

A feed reader and a mail program know of no page that "/articles/a/" or "#note-fn-1" could be
joined to. The input is what `mailkit.sanitising` wrote, so it is well-formed; whatever has no
address in it comes out as it went in.
"""

import re
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin

Attributes = dict[str, str | None]
Change = Callable[[str, Attributes], Attributes]

# Every attribute that HTML has for one address, whether the allow-list knows it today or not.
ADDRESSES: Final = frozenset(
    "action background cite data formaction href longdesc manifest poster src xlink:href".split()
)
# Several addresses, each with a width or a density behind it.
ADDRESS_LISTS: Final = frozenset({"imagesrcset", "srcset"})
# What tells a browser to choose or to wait; mail programs do neither, and some show nothing then.
BROWSER_ONLY: Final = frozenset({"decoding", "fetchpriority", "id", "loading", "sizes", "srcset"})
# The formats that a browser chooses from; mail programs show the picture itself. No value has a bracket in it.
_CHOICE = re.compile(r"<source [^>]*>|</?picture>")
# An address, which may hold a comma but not begin or end with one, and what follows it.
_CANDIDATE = re.compile(r"([^\s,](?:\S*[^\s,])?)((?:\s[^,]*)?)(?:,|$)")


class Rewriter(HTMLParser):
    """Writes HTML as it was read, with the attributes of each element as `change` returns them."""

    def __init__(self, change: Change) -> None:
        super().__init__(convert_charrefs=False)
        self._change = change
        self.written: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """The element with its new attributes."""
        attributes = self._change(tag, dict(attrs))
        self.written.append(f"<{tag}{''.join(map(_attribute, attributes.items()))}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """As any other: HTML has no sign for an element without content."""
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """As it is."""
        self.written.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """As it is."""
        self.written.append(data)

    def handle_entityref(self, name: str) -> None:
        """As it is."""
        self.written.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        """As it is."""
        self.written.append(f"&#{name};")


def rewrite(html: str, change: Change) -> str:
    """`html` with the attributes of each element as `change(tag, attributes)` returns them."""
    rewriter = Rewriter(change)
    rewriter.feed(html)
    rewriter.close()
    return "".join(rewriter.written)


def make_absolute(html: str, *, page_url: str) -> str:
    """Sanitised HTML of the page at `page_url`, with every address whole, so that it works anywhere."""
    return rewrite(html, lambda _tag, attributes: _whole(attributes, page_url))


def for_mail(html: str, *, page_url: str, width: int) -> str:
    """As `make_absolute`, for a column of `width` pixels in a mail: no picture says that it is wider.

    What only a browser uses is left out: lists of sizes, lazy loading, and ids, which mail
    programs rename, so that a link to a note leads to the note on the page.
    """

    def change(tag: str, attributes: Attributes) -> Attributes:
        shown = {name: value for name, value in attributes.items() if name not in BROWSER_ONLY}
        return _whole(_fitting(shown, width) if tag == "img" else shown, page_url)

    return rewrite(_CHOICE.sub("", html), change)


def _whole(attributes: Attributes, page_url: str) -> Attributes:
    result: Attributes = {}
    for name, value in attributes.items():
        try:
            result[name] = _whole_value(name, value, page_url)
        except ValueError:
            continue  # not an address at all, such as "http://[": without it the words remain
    return result


def _whole_value(name: str, value: str | None, page_url: str) -> str | None:
    if value is not None and name in ADDRESSES:
        return urljoin(page_url, value)
    if value is not None and name in ADDRESS_LISTS:
        return _whole_list(value, page_url)
    return value


def _whole_list(value: str, page_url: str) -> str:
    candidates = _CANDIDATE.findall(value)
    return ", ".join(" ".join([urljoin(page_url, url), *rest.split()]) for url, rest in candidates)


def _fitting(attributes: Attributes, width: int) -> Attributes:
    """Width and height of a picture as they are in the column; Outlook believes these and no style sheet."""
    own, high = (int(attributes.get(name) or 0) for name in ("width", "height"))
    if own <= width:
        return attributes
    return attributes | {"width": str(width), **({"height": str(max(1, round(high * width / own)))} if high else {})}


def _attribute(pair: tuple[str, str | None]) -> str:
    name, value = pair
    return f" {name}" if value is None else f' {name}="{escape(value)}"'
