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


def beginning_with(rows: ArticleQuerySet, *, query: str) -> ArticleQuerySet:
    """Of these stories those with every word, or a word that begins so; for somebody who is still typing."""
    words = WORD.findall(tidy(query))
    if not words:
        return rows.none()
    asked = SearchQuery(" & ".join(f"{word}:*" for word in words), search_type="raw", config=SEARCH_LANGUAGE)
    return rows.filter(search_vector=asked)


def stories(*, query: str) -> ArticleQuerySet:
    """Public stories that match, best first; every query is valid: words, "a phrase", or, -without."""
    asked = SearchQuery(tidy(query), search_type="websearch", config=SEARCH_LANGUAGE)
    return (
        Article.objects.published()
        .filter(search_vector=asked)
        .annotate(rank=SearchRank(F("search_vector"), asked))
        .order_by("-rank", "-published_at", "-pk")
    )
