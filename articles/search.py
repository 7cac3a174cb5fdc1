"""Full-text search over public stories."""

from django.contrib.postgres.search import SearchQuery, SearchRank
from django.db.models import F

from articles.models import SEARCH_LANGUAGE, Article, ArticleQuerySet

MAX_QUERY = 200


def tidy(query: str) -> str:
    """What was typed, without what PostgreSQL cannot take and beyond what anybody types."""
    return query.replace("\x00", " ").strip()[:MAX_QUERY]


def stories(*, query: str) -> ArticleQuerySet:
    """Public stories that match, best first; every query is valid: words, "a phrase", or, -without."""
    asked = SearchQuery(tidy(query), search_type="websearch", config=SEARCH_LANGUAGE)
    return (
        Article.objects.published()
        .filter(search_vector=asked)
        .annotate(rank=SearchRank(F("search_vector"), asked))
        .order_by("-rank", "-published_at", "-pk")
    )
