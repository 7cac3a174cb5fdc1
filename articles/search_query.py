"""What was typed into the search, as PostgreSQL asks for it.

`"two words"` stand beside each other, `-word` is left out, `one or other` is either; all other words must be there, in
any order. The database alone folds and stems words (migration 0009), so a query cannot differ from the index.
"""

import functools
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.search import SearchQuery, SearchVectorField
from django.db import connection
from django.db.models import Func, TextField, Value

from publication import languages

MAX_QUERY: Final = 200
MAX_PARTS: Final = 12
STOP_WORDS: Final = "SELECT word FROM unnest(%s::text[]) AS word WHERE to_tsvector(articles_common(%s), word) = ''"

WORD: Final = re.compile(r"\w+")
PART: Final = re.compile(r"(?P<minus>-?)(?:\"(?P<phrase>[^\"]*)\"?|(?P<word>[^\s\"]+))")

# A SearchQuery, or several combined: django-stubs do not know that what `&` and `~` make of them are queries.
Query: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Part:
    """Words beside each other (`covid-19` is two), or one word. `is_other`: it, or the part before it."""

    words: tuple[str, ...]
    is_unwanted: bool = False
    is_other: bool = False

    @property
    def text(self) -> str:
        """As somebody would type it."""
        return " ".join(self.words)


def tidy(typed: str) -> str:
    """What was typed, without what PostgreSQL cannot take and beyond what anybody types."""
    return typed.replace("\x00", " ").strip()[:MAX_QUERY]


def parts(typed: str) -> list[Part]:
    """The parts that count: words such as "of" are left out beside others, and mean something when they are alone."""
    read: list[Part] = []
    is_other = False
    for match in PART.finditer(tidy(typed)):
        text = match["word"] if match["phrase"] is None else match["phrase"]
        words = tuple(WORD.findall(text))
        if match["phrase"] is None and not match["minus"] and text.lower() == "or" and read:
            is_other = True
        elif words:
            read.append(Part(words, is_unwanted=bool(match["minus"]), is_other=is_other))
            is_other = False
    return _meaningful(read[:MAX_PARTS])


def has_phrase(wanted: Sequence[Part]) -> bool:
    """Whether the place of words matters, which the index alone cannot tell."""
    return any(len(part.words) > 1 for part in wanted)


def loosely(wanted: Sequence[Part]) -> list[Part]:
    """The same words in any place: what matches `wanted` matches this too. Of alternatives one word each is asked."""
    loose: list[Part] = []
    for part, after in zip(wanted, [*wanted[1:], None], strict=True):
        has_alternative = part.is_other or (after is not None and after.is_other)
        words = part.words[:1] if has_alternative else part.words
        if not part.is_unwanted:
            loose += [replace(part, words=(word,)) for word in words]
    return loose


def asked(wanted: Sequence[Part], *, as_beginnings: bool = False, language: str = "") -> Query:
    """The query of these parts, of which one at least is not unwanted. Empty: the language of the page."""
    rules = Func(Value(language or languages.of_pages()), function="articles_rules", output_field=TextField())
    groups: list[Query] = []
    for part in wanted:
        goes_on = as_beginnings and not part.is_unwanted
        query = _beginning(part, rules) if goes_on else _phrase(part, rules)
        if part.is_other and groups:
            groups[-1] = groups[-1] | query
        else:
            groups.append(~query if part.is_unwanted else query)
    whole = groups[0]
    for group in groups[1:]:
        whole = whole & group
    return whole


def beginnings(*, typed: str, config: str | None = None, most: int | None = None) -> Query | None:
    """Every word, or one that begins so, for somebody who is still typing; None where nothing is a word.

    By the rules of each language of the publication. Of more words than `most` the first ones count.
    """
    words = WORD.findall(tidy(typed))[:most]
    if config is not None:
        raw = " & ".join(f"{word}:*" for word in words)
        return SearchQuery(raw, search_type="raw", config=config) if words else None
    return functools.reduce(operator.or_, beginnings_by_language(typed=typed, most=most).values()) if words else None


def beginnings_by_language(*, typed: str, most: int | None = None) -> dict[str, Query]:
    """Every word, or one that begins so, by the rules of each language of the publication; empty without a word."""
    parts = [Part((word,)) for word in WORD.findall(tidy(typed))[:most]]
    spoken = (languages.first(), *languages.further()) if parts else ()
    return {language: asked(parts, as_beginnings=True, language=language) for language in spoken}


def nearly(*, typed: str, spoken: list[str]) -> SearchQuery:
    """What every name has that has these words by the rules of one of the languages; others may have it too."""
    known = Value(spoken, output_field=ArrayField(TextField()))
    words = Value(" ".join(WORD.findall(tidy(typed))[:MAX_PARTS]))
    raw = Func(known, words, function="articles_nearly", output_field=TextField())
    return SearchQuery(raw, search_type="raw", config="simple")


def folded(text: str) -> Func:
    """The text as the index has it."""
    return Func(Value(text), function="articles_folded", output_field=TextField())


def words(text: Any, *, language: str) -> Func:
    """The words of an expression, as the index would have them."""
    return Func(Value(language), text, function="articles_words", output_field=SearchVectorField())


def _meaningful(read: list[Part]) -> list[Part]:
    if len(read) < 2:
        return read
    stop_words = _stop_words(read)
    ordinary = [part for part in read if len(part.words) > 1 or part.words[0].lower() not in stop_words]
    if any(not part.is_unwanted for part in ordinary):
        return ordinary
    wanted = [part for part in read if not part.is_unwanted and not part.is_other]
    # "the who" is a name, whose words follow each other in the text.
    return [Part(tuple(word for part in wanted for word in part.words)), *ordinary] if wanted else []


def _stop_words(read: list[Part]) -> set[str]:
    words = [part.words[0].lower() for part in read if len(part.words) == 1]
    if not words:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(STOP_WORDS, [words, languages.of_pages()])
        return {word for (word,) in cursor.fetchall()}


def _phrase(part: Part, rules: Any) -> SearchQuery:
    return SearchQuery(folded(part.text), search_type="phrase", config=rules)


def _beginning(part: Part, rules: Any) -> Query:
    """The words of the part, of which the last may go on."""
    raw = Func(Value(part.text), function="articles_beginning", output_field=TextField())
    return _phrase(part, rules) | SearchQuery(raw, search_type="raw", config=rules)
