"""Two versions of a story, compared word by word; fields besides the text by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from articles.revisions import Named, Snapshot

WORDS: Final = re.compile(r"\w+(?:['\u2019.-]\w+)*|\s+|[^\w\s]")
# This many unchanged paragraphs are shown around a change; longer runs are only counted.
AROUND: Final = 1
SAME, ADDED, REMOVED, GAP = "same", "added", "removed", "gap"
TEXTS: Final[dict[str, Promise]] = {
    "headline": gettext_lazy("Headline"),
    "standfirst": gettext_lazy("Standfirst"),
    "body_markdown": gettext_lazy("Text"),
    "slug": gettext_lazy("Address"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """Some words: the same in both, added or removed; or a gap of `count` unchanged paragraphs."""

    kind: str
    text: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A field that differs, and its words."""

    name: str
    parts: tuple[Part, ...]


def changes(*, old: Snapshot, new: Snapshot) -> list[Change]:
    """The fields in which the two differ, the words first."""
    differing = [
        Change(str(label), tuple(_texts(str(old[field]), str(new[field]))))  # type: ignore[literal-required]  # TEXTS are keys of it
        for field, label in TEXTS.items()
        if old[field] != new[field]  # type: ignore[literal-required]  # as above
    ]
    for name, before, after in _related(old, new):
        if before != after:
            differing.append(Change(name, tuple(_lists(before, after))))
    return differing


def words(old: str, new: str) -> Iterator[Part]:
    """The words of both in the order of reading; what is removed comes before what is there instead."""
    before, after = WORDS.findall(old), WORDS.findall(new)
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            yield Part(SAME, "".join(before[a:b]))
            continue
        if b > a:
            yield Part(REMOVED, "".join(before[a:b]))
        if d > c:
            yield Part(ADDED, "".join(after[c:d]))


def _texts(old: str, new: str) -> Iterator[Part]:
    """By paragraphs first, so that a long text is compared quickly, then by words where they differ."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            yield from _unchanged(before[a:b])
        else:
            yield from words("".join(before[a:b]), "".join(after[c:d]))


def _unchanged(lines: Sequence[str]) -> Iterator[Part]:
    written = sum(1 for line in lines[AROUND:-AROUND] if line.strip())
    if written <= 2 * AROUND:
        yield Part(SAME, "".join(lines))
        return
    yield Part(SAME, "".join(lines[:AROUND]))
    yield Part(GAP, count=written)
    yield Part(SAME, "".join(lines[-AROUND:]))


def _related(old: Snapshot, new: Snapshot) -> Iterator[tuple[str, list[str], list[str]]]:
    yield _("Section"), _names([old["section"]]), _names([new["section"]])
    yield _("Tags"), _names(old["tags"]), _names(new["tags"])
    yield _("Byline"), _names(old["authors"]), _names(new["authors"])
    yield _("Picture"), _names([old["lead_image"]]), _names([new["lead_image"]])
    yield _("Date shown"), _moment(old["published_at"]), _moment(new["published_at"])
    yield _("Scheduled for"), _moment(old["publish_at"]), _moment(new["publish_at"])


def _names(rows: Iterable[Named | None]) -> list[str]:
    return [row["name"] for row in rows if row is not None]


def _moment(value: str | None) -> list[str]:
    return [f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M} UTC"] if value else []


def _lists(before: Sequence[str], after: Sequence[str]) -> Iterator[Part]:
    """Names, each added, removed or the same, in the order of the newer version."""
    gone = [name for name in before if name not in after]
    parts = [Part(REMOVED, name) for name in gone] + [Part(SAME if name in before else ADDED, name) for name in after]
    for place, part in enumerate(parts):
        if place:
            yield Part(SAME, ", ")
        yield part
    if not gone and set(before) == set(after):
        yield Part(SAME, f" ({_('in another order')})")
