"""Reports what the sanitiser removes from an author's HTML. Imported by the sandboxed child only."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from html.parser import HTMLParser
from typing import Any, Final

from mailkit import sanitising

# Without these a reader sees something else than the author; a class or an id is the author's own affair.
_MATTERS: Final = frozenset(
    "align background bgcolor color colspan controls datetime height rowspan srcset start style width".split()
)
# Elements that have no end, so nothing within them is left out.
_VOID: Final = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_MOST: Final = 200
LONGEST: Final = 100

Keep = Callable[[str, str, str], str | None]


@dataclass(frozen=True, slots=True)
class Removal:
    """One thing left out. `places` are texts by one of which its line is found, the surest first."""

    kind: str  # element, picture, link, attribute, anchor, card
    name: str
    shown: str = ""
    places: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For the parent process."""
        return asdict(self)


def find(html: str, *, profile: str, place: sanitising.Place) -> list[Removal]:
    """What `sanitising.clean` would leave out of the HTML that the converter made."""
    finder = _Finder(profile, place)
    finder.feed(html)
    finder.close()
    return finder.removals


class _Finder(HTMLParser):
    def __init__(self, profile: str, place: sanitising.Place) -> None:
        super().__init__(convert_charrefs=True)
        self.removals: list[Removal] = []
        self._tags = sanitising.TAGS[profile]
        self._is_letter = profile == "letter"
        self._place = place
        self._keep: Keep = sanitising.attribute_filter(profile, place)
        self._within = ""
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Judge an element, unless it is inside one that is left out with all that is in it."""
        if self._within:
            self._depth += tag == self._within
            return
        attributes = {name: value or "" for name, value in attrs}
        if tag not in self._tags:
            self._lose("element", tag, attributes.get("src") or attributes.get("data") or "")
            if tag in sanitising.DROPPED_WITH_CONTENT - _VOID:
                self._within, self._depth = tag, 1
        elif tag == "img" and sanitising.own_picture(attributes.get("src", ""), place=self._place) is None:
            self._lose("picture", tag, attributes.get("src", ""))
        else:
            self._judge(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        """Find the end of what is left out."""
        if tag == self._within:
            self._depth -= 1
            self._within = self._within if self._depth else ""

    def _judge(self, tag: str, attributes: dict[str, str]) -> None:
        allowed = sanitising.ATTRIBUTES.get(tag, set()) | sanitising.ATTRIBUTES["*"]
        for name, value in attributes.items():
            is_kept = name in allowed and self._keep(tag, name, value) is not None
            if tag == "a" and name == "href":
                if not is_kept:
                    self._lose("link", tag, value)
                elif self._is_letter and value.startswith("#"):
                    self._lose("anchor", tag, value)
            elif not is_kept and (name in _MATTERS or name.startswith("on")):
                self._lose("attribute", tag, name)

    def _lose(self, kind: str, name: str, shown: str) -> None:
        if len(self.removals) < _MOST:
            raw = self.get_starttag_text() or ""
            places = (raw, shown, f"<{name}") if kind != "attribute" else (raw, f"<{name}")
            self.removals.append(Removal(kind, name, shown[:LONGEST], tuple(filter(None, places))))
