"""What changed between two texts, with the words that went and came marked, for pages."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WORDS: Final = re.compile(r"\s+|[^\s]+")
PARAGRAPHS: Final = re.compile(r"\n\s*\n")


def marked(before: str, after: str) -> SafeString:
    """The new text with the words that went and came marked."""
    old, new = WORDS.findall(before), WORDS.findall(after)
    parts: list[SafeString] = []
    for kind, start, end, first, last in _steps(old, new):
        if kind == "equal":
            parts.append(format_html("{}", "".join(new[first:last])))
            continue
        if end > start:
            parts.append(format_html('<del class="desk-word">{}</del>', "".join(old[start:end])))
        if last > first:
            parts.append(format_html('<ins class="desk-word">{}</ins>', "".join(new[first:last])))
    return format_html_join("", "{}", ((part,) for part in parts))


def in_short(before: str, after: str) -> list[SafeString]:
    """The same for the paragraphs alone in which something changed."""
    return list(_changed(PARAGRAPHS.split(before.strip()), PARAGRAPHS.split(after.strip())))


def _changed(old: Sequence[str], new: Sequence[str]) -> Iterator[SafeString]:
    for kind, start, end, first, last in _steps(old, new):
        if kind != "equal":
            yield marked("\n\n".join(old[start:end]), "\n\n".join(new[first:last]))


def _steps(old: Sequence[str], new: Sequence[str]) -> Sequence[tuple[str, int, int, int, int]]:
    return difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
