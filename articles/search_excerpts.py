"""Where the words of a search stand in a story, for the reader to see: marked, with what is around them.

Marks show what was meant and decide nothing. A word is marked where it begins like one that was typed and is not much
longer, since endings differ.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString

from articles import typography
from articles.models import Article
from articles.search_query import Part

LENGTH: Final = 220
BEFORE: Final = 60
# Endings of the same word are not longer, and a stem lacks no more of what was typed.
ENDING: Final = 4
STEM: Final = 2
LONG: Final = 5
SEARCHED: Final = 50_000
# What plain text has under headings and around tables.
RULE: Final = re.compile(r"[-=+|]{3,}")
KYRGYZ: Final = str.maketrans("ңөү", "ноу")


def headline(article: Article, *, parts: Sequence[Part]) -> SafeString:
    """The headline as every page sets it, with its words marked."""
    return _marked(typography.headline(article.headline, article.language), _pattern(parts))


def excerpt(article: Article, *, parts: Sequence[Part]) -> SafeString:
    """The standfirst with its words marked; where it has none of them, the first place of the text that has."""
    pattern = _pattern(parts)
    if pattern is None or pattern.search(_folded(article.standfirst)):
        return _marked(article.standfirst, pattern)
    text = " ".join(RULE.sub(" ", article.body_text[:SEARCHED]).split())
    if (match := pattern.search(_folded(text))) is None:
        return _marked(article.standfirst, None)
    start, end = _window(text, match.start())
    cut = ("… " if start else "", " …" if end < len(text) else "")
    return format_html("{}{}{}", cut[0], _marked(text[start:end], pattern), cut[1])


def _window(text: str, place: int) -> tuple[int, int]:
    """Whole words around a place."""
    start = text.rfind(" ", 0, max(place - BEFORE, 0)) + 1
    end = text.rfind(" ", start, start + LENGTH) if start + LENGTH < len(text) else len(text)
    return start, max(end, place)


def _marked(text: str, pattern: re.Pattern[str] | None) -> SafeString:
    if pattern is None:
        return conditional_escape(text)
    pieces: list[tuple[SafeString]] = []
    last = 0
    for match in pattern.finditer(_folded(text)):
        pieces.append((conditional_escape(text[last : match.start()]),))
        pieces.append((format_html("<mark>{}</mark>", text[match.start() : match.end()]),))
        last = match.end()
    return format_html_join("", "{}", [*pieces, (conditional_escape(text[last:]),)])


def _pattern(parts: Iterable[Part]) -> re.Pattern[str] | None:
    words = {_folded(word) for part in parts if not part.is_unwanted for word in part.words}
    if not words:
        return None
    # The longest first, so that of two words with one beginning the whole is marked.
    return re.compile(r"\b(?:" + "|".join(_beginning(word) for word in sorted(words, key=len, reverse=True)) + r")\b")


def _beginning(word: str) -> str:
    stem = word[:-STEM] if len(word) > LONG else word
    return re.escape(stem) + rf"\w{{0,{ENDING + len(word) - len(stem)}}}" if len(word) > STEM else re.escape(word)


def _folded(text: str) -> str:
    """Small letters without accents, each in its place."""
    return "".join(map(_plain, text)).translate(KYRGYZ)


def _plain(letter: str) -> str:
    small = letter.lower()
    plain = unicodedata.normalize("NFKD", small)[0] if small != "й" else small
    return plain if len(small) == 1 else letter
