"""Search: the public stories that somebody looks for, as people type it.

What matches nothing is looked for again: as the beginning of words, then with each unknown word led back to one that
is a slip apart. A search reads three indexes and ranks a bounded number of stories, however many match.
"""

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.contrib.postgres.search import SearchRank
from django.db import connection, transaction
from django.db.models import BooleanField, Count, ExpressionWrapper, F, FloatField, Func, Q, QuerySet, Value
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Extract, Now
from django.urls import reverse
from django.utils.translation import gettext as _

from articles import search_query, search_words
from articles.models import ArticleQuerySet, Author, SearchEntry, Section, Tag
from articles.search_model import called
from articles.search_query import Part, Query
from articles.translation_models import on_pages_of
from publication import languages

# Of a common word the newest stories are ordered by how well they match; nobody turns more pages.
CANDIDATES: Final = 160
# Whether words are beside each other is read in this number of stories, the newest that have all of them.
READ: Final = 500
# Words that more than one in SHARE of the newest stories have are looked for from the newest story back, all others in
# the index first: the newest of many that match are all read from the one, and all stories for a few from the other.
SAMPLE: Final = 100
SHARE: Final = 7
# The planner does not know what it costs to read a vector, and would read those of all stories.
BY_INDEX: Final = "SET LOCAL enable_seqscan = off"
# With fewer stories than this, those with words that only begin so follow.
FEW: Final = 12
# A beginning of fewer letters says nothing.
SHORTEST: Final = 3
VECTORS: Final = ("heads", "words")
# A story loses half of its weight in this time, in seconds.
FADING: Final = 3 * 365.25 * 86_400
# Sections, authors and tags beside the stories, by the names of their pages.
MOST_NAMES: Final = 6
KINDS: Final[dict[str, type[Section | Author | Tag]]] = {"section": Section, "author": Author, "tag": Tag}


@dataclass(frozen=True, slots=True)
class Filters:
    """Which stories may be found at all; an empty one leaves nothing out. Days are those of `zone`."""

    section: str = ""
    author: str = ""
    since: date | None = None
    until: date | None = None
    zone: str = "UTC"

    def stories(self) -> QuerySet[SearchEntry]:
        """The public stories that pass, of the language in which somebody reads."""
        entries = SearchEntry.objects.filter(on_pages_of(languages.of_pages()), is_public=True)
        if self.section:
            entries = entries.filter(section__slug=self.section)
        if self.author:
            entries = entries.filter(article__authors__slug=self.author)
        if self.since:
            entries = entries.filter(published_at__gte=self._midnight(self.since))
        if self.until:
            entries = entries.filter(published_at__lt=self._midnight(self.until + timedelta(days=1)))
        return entries

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), ZoneInfo(self.zone))


@dataclass(frozen=True, slots=True)
class Results:
    """Stories by their keys, best first; `instead` is what was looked for where nothing had what was typed.

    `is_cut`: there are more, older ones.
    """

    stories: list[int]
    parts: Sequence[Part] = ()
    instead: str = ""
    is_cut: bool = False


@dataclass(frozen=True, slots=True)
class Name:
    """A section, an author or a tag by its name: what it is, and where its stories are."""

    title: str
    kind: str
    url: str


@transaction.atomic(savepoint=False)
def stories(*, query: str, filters: Filters | None = None) -> Results:
    """Public stories that match; every query is valid."""
    with connection.cursor() as cursor:
        cursor.execute(BY_INDEX)
    filters = filters or Filters()
    parts = search_query.parts(query)
    if all(part.is_unwanted for part in parts):
        return Results([])
    if ids := _matching(parts, filters):
        return Results(ids, parts, is_cut=len(ids) >= CANDIDATES)
    mended = search_words.mended(parts)
    if mended == parts or not (ids := _matching(mended, filters)):
        return Results([], parts)
    return Results(ids, mended, instead=" ".join(part.text for part in mended if not part.is_unwanted))


def names(*, query: str) -> list[Name]:
    """Sections, authors and tags that have all of these words, or words that begin so, in their name in a language."""
    asked = search_query.beginnings_by_language(typed=query, most=search_query.MAX_PARTS)
    if not asked:
        return []
    nearly = search_query.nearly(typed=query, spoken=list(asked))
    first, *others = (
        _called(model, asked)
        .alias(called=called())
        .filter(called=nearly)
        .values_list(Value(kind), "name", "translations", "slug")[:MOST_NAMES]
        for kind, model in KINDS.items()
    )
    rows = first.union(*others, all=True)[:MOST_NAMES]
    labels = {"section": _("Section"), "author": _("Author"), "tag": _("Tag")}
    return [
        Name(KINDS[kind](name=name, translations=translations).local.name, labels[kind], reverse(kind, args=[slug]))
        for kind, name, translations, slug in rows
    ]


def beginning_with(rows: ArticleQuerySet, *, query: str, most: int | None = None) -> ArticleQuerySet:
    """Of these stories those with these words, or words that begin so."""
    asked = search_query.beginnings(typed=query, most=most)
    return rows.none() if asked is None else rows.filter(search_entry__words=asked)


def _called(model: type[Section | Author | Tag], asked: dict[str, Query]) -> QuerySet[Any]:
    """The rows whose name in a language is asked for by the rules of that one."""
    names = {
        language: F("name")
        if language == languages.first()
        else KeyTextTransform("name", KeyTransform(language, "translations"))
        for language in asked
    }
    vectors = {f"in_{n}": search_query.words(names[each], language=each) for n, each in enumerate(asked)}
    any_of = (Q(**{column: query}) for column, query in zip(vectors, asked.values(), strict=True))
    return model.objects.alias(**vectors).filter(functools.reduce(operator.or_, any_of))


def _matching(parts: list[Part], filters: Filters) -> list[int]:
    """Keys of stories, best first: those with the words, and if they are few, those with words that begin so."""
    ids = _ranked(parts, filters)
    if len(ids) < FEW and all(len(part.words[-1]) >= SHORTEST for part in parts):
        known = set(ids)
        ids += [pk for pk in _ranked(parts, filters, as_beginnings=True) if pk not in known]
    return ids


def _ranked(parts: list[Part], filters: Filters, *, as_beginnings: bool = False) -> list[int]:
    """The best of the newest: whether a word is in the headline or only in the text, and how old the story is."""
    asked = search_query.asked(parts, as_beginnings=as_beginnings)
    loose = None
    if search_query.has_phrase(parts):
        loose = search_query.asked(search_query.loosely(parts), as_beginnings=as_beginnings)
    common = _common(asked if loose is None else loose)
    heads, words = (
        _candidates(filters.stories(), column, asked, loose, is_common=column in common) for column in VECTORS
    )
    candidates = heads.union(words)
    age = Extract(Now() - F("published_at"), "epoch")
    weight = ExpressionWrapper(
        (SearchRank(F("words"), asked, cover_density=True) + 0.01) / (1 + age / FADING), output_field=FloatField()
    )
    ranked = SearchEntry.objects.filter(pk__in=candidates).annotate(weight=weight)
    return list(ranked.order_by("-weight", "-published_at", "-pk").values_list("pk", flat=True))


def _common(asked: Query) -> set[str]:
    """The vectors that have this in many of the newest stories."""
    newest = _by_date(Filters().stories().annotate(**{f"in_{column}": _has(column, asked) for column in VECTORS}))
    counts = {column: Count("pk", filter=Q(**{f"in_{column}": True})) for column in VECTORS}
    return {column for column, count in newest[:SAMPLE].aggregate(**counts).items() if count * SHARE > SAMPLE}


def _candidates(
    entries: QuerySet[SearchEntry], column: str, asked: Query, loose: Query | None, *, is_common: bool
) -> QuerySet[SearchEntry, int]:
    """The newest of the entries with this in a column; of those that match loosely the newest are read."""
    if loose is None:
        return _newest(entries.filter(**{column: asked}), CANDIDATES, is_common=is_common)
    # As a list: in one statement the planner reads the place of words in all stories first.
    read = list(_newest(entries.filter(**{column: loose}), READ, is_common=is_common))
    return _newest(SearchEntry.objects.filter(_has(column, asked), pk__in=read), CANDIDATES, is_common=False)


def _has(column: str, asked: Query) -> Func:
    """The function of the operator `@@`, for which no index is used: it would have every story that matches read."""
    return Func(F(column), asked, function="ts_match_vq", output_field=BooleanField())


def _newest(entries: QuerySet[SearchEntry], most: int, *, is_common: bool) -> QuerySet[SearchEntry, int]:
    # No index has the dates of the other order, so the planner begins with the words.
    ordered = _by_date(entries) if is_common else entries.order_by((F("published_at") + timedelta(0)).desc(), "-pk")
    return ordered.values_list("pk", flat=True)[:most]


def _by_date(entries: QuerySet[SearchEntry]) -> QuerySet[SearchEntry]:
    return entries.order_by(F("published_at").desc(), "-pk")
