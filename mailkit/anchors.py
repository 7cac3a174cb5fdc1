"""Headings that a link can lead to, and the links of a text to its own headings."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Final
from urllib.parse import unquote

from mailkit import absolute_links

HEADINGS: Final = frozenset({"h2", "h3", "h4", "h5", "h6"})
PREFIX: Final = "part-"  # no heading can take the id of a form or of something else on the page around it
LONGEST: Final = 80
# Where every page has a place for it.
_TOP: Final = frozenset({"#", "#top"})


class _Reader(HTMLParser):
    """Collects the ids of a text, and what its headings say."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.ids: set[str] = set()
        self.headings: list[list[str]] = []
        self._is_open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an id, and the beginning of a heading."""
        self.ids.update(value for name, value in attrs if name == "id" and value)
        if tag in HEADINGS:
            self.headings.append([])
            self._is_open = True

    def handle_endtag(self, tag: str) -> None:
        """Note the end of a heading."""
        self._is_open = self._is_open and tag not in HEADINGS

    def handle_data(self, data: str) -> None:
        """Note the words of a heading."""
        if self._is_open:
            self.headings[-1].append(data)


def identifier(words: str) -> str:
    """The id of a heading with these words, as GitHub makes it: small letters and hyphens, in any script."""
    slug = re.sub(r"[^\w -]+", "", words.strip().lower()).replace(" ", "-")[:LONGEST]
    return f"{PREFIX}{slug or 'untitled'}"


def connect(html: str) -> tuple[str, list[str]]:
    """Sanitised HTML whose headings have ids and whose links lead to them, and the links that lead to nothing."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    change = _Connecting(reader)
    return absolute_links.rewrite(html, change), change.dead


class _Connecting:
    """What is changed at each element, in their order."""

    def __init__(self, reader: _Reader) -> None:
        self.dead: list[str] = []
        self._taken = reader.ids
        self._names = iter([self._name("".join(words)) for words in reader.headings])
        self._next: Callable[[], str] = self._names.__next__

    def __call__(self, tag: str, attributes: absolute_links.Attributes) -> absolute_links.Attributes:
        if tag in HEADINGS:
            name = self._next()
            return {"id": name} | attributes
        href = attributes.get("href")
        if tag == "a" and href and href.startswith("#"):
            return attributes | {"href": self._target(href)}
        return attributes

    def _name(self, words: str) -> str:
        name = plain = identifier(words)
        number = 0
        while name in self._taken:
            number += 1
            name = f"{plain}-{number}"
        self._taken.add(name)
        return name

    def _target(self, href: str) -> str:
        name_in_link = unquote(href[1:])
        for name in (name_in_link, identifier(name_in_link)):
            if name in self._taken:
                return f"#{name}"
        if href not in _TOP:
            self.dead.append(href)
        return href
