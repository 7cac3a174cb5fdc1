"""Full-text search over public stories."""

import re

from django.contrib.postgres.search import SearchQuery, SearchRank
from django.db.models import F

from articles.models import SEARCH_LANGUAGE, Article, ArticleQuerySet

MAX_QUERY = 200
WORD = re.compile(r"\w+")


def tidy(query: str) -> str:
    """What was typed, without what PostgreSQL cannot take and beyond what anybody types."""
    return query.replace("\x00", " ").strip()[:MAX_QUERY]


def beginnings(*, typed: str, config: str = SEARCH_LANGUAGE, most: int | None = None) -> SearchQuery | None:
    """Every word, or one that begins so, for somebody who is still typing; None where nothing is a word.

    Of more words than `most` the first ones count.
    """
    words = WORD.findall(typed)[:most]
    return SearchQuery(" & ".join(f"{word}:*" for word in words), search_type="raw", config=config) if words else None


def beginning_with(rows: ArticleQuerySet, *, query: str, most: int | None = None) -> ArticleQuerySet:
    """Of these stories those with the `beginnings`."""
    asked = beginnings(typed=tidy(query), most=most)
    return rows.none() if asked is None else rows.filter(search_vector=asked)


def stories(*, query: str) -> ArticleQuerySet:
    """Public stories that match, best first; every query is valid: words, "a phrase", or, -without."""
    asked = SearchQuery(tidy(query), search_type="websearch", config=SEARCH_LANGUAGE)
    return (
        Article.objects.published()
        .filter(search_vector=asked)
        .annotate(rank=SearchRank(F("search_vector"), asked))
        .order_by("-rank", "-published_at", "-pk")
    )
