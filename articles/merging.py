"""A text that two people changed: both changes together, where they are at different places."""

import difflib
import re
from collections.abc import Sequence
from typing import Final

WORDS: Final = re.compile(r"\s+|[^\s]+")


def merge(*, base: str, mine: str, theirs: str) -> str | None:
    """What `base` becomes by both changes; None where they changed the same words differently."""
    return _merge(base.splitlines(True), mine.splitlines(True), theirs.splitlines(True), by_words=True)


def changed_parts(*, base: str, text: str) -> str:
    """The paragraphs of `text` that `base` has otherwise or not at all; “…” is what they share."""
    lines, parts = text.splitlines(), []
    for kind, _from, _to, begin, end in difflib.SequenceMatcher(
        None, base.splitlines(), lines, autojunk=False
    ).get_opcodes():
        parts.append("…" if kind == "equal" else "\n".join(lines[begin:end]) or "-")
    return "\n".join(parts)


def _merge(base: Sequence[str], mine: Sequence[str], theirs: Sequence[str], *, by_words: bool) -> str | None:
    """Between the parts that all three have, take whichever side differs from the base."""
    merged: list[str] = []
    at = mine_at = theirs_at = 0
    for common, in_mine, in_theirs, length in [*_common(base, mine, theirs), (len(base), len(mine), len(theirs), 0)]:
        old, left, right = base[at:common], mine[mine_at:in_mine], theirs[theirs_at:in_theirs]
        part = _part("".join(old), "".join(left), "".join(right), by_words=by_words)
        if part is None:
            return None
        merged += [part, *base[common : common + length]]
        at, mine_at, theirs_at = common + length, in_mine + length, in_theirs + length
    return "".join(merged)


def _part(old: str, left: str, right: str, *, by_words: bool) -> str | None:
    if left in (old, right):
        return right
    if right == old:
        return left
    if not by_words:
        return None
    return _merge(WORDS.findall(old), WORDS.findall(left), WORDS.findall(right), by_words=False)


def _common(base: Sequence[str], mine: Sequence[str], theirs: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """Where base, mine and theirs agree: the places in each, and how far."""
    regions = []
    blocks, others = _blocks(base, mine), _blocks(base, theirs)
    left = right = 0
    while left < len(blocks) and right < len(others):
        begin = max(blocks[left].a, others[right].a)
        ends = blocks[left].a + blocks[left].size, others[right].a + others[right].size
        if begin < min(ends):
            in_mine = blocks[left].b + begin - blocks[left].a
            in_theirs = others[right].b + begin - others[right].a
            regions.append((begin, in_mine, in_theirs, min(ends) - begin))
        if ends[0] < ends[1]:
            left += 1
        else:
            right += 1
    return regions


def _blocks(base: Sequence[str], changed: Sequence[str]) -> list[difflib.Match]:
    return difflib.SequenceMatcher(None, base, changed, autojunk=False).get_matching_blocks()
