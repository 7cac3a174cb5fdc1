"""What the dialog of cards asks: stories that readers can see, by the beginnings of their words."""

import re
from typing import Final

from django.contrib.postgres.search import SearchQuery
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import formats

from articles import search
from articles.models import SEARCH_LANGUAGE, Article, ArticleQuerySet

MOST: Final = 20
MOST_WORDS: Final = 8


def stories_view(request: HttpRequest) -> HttpResponse:
    """The newest public stories with these words, as JSON."""
    rows = _stories(search.tidy(request.GET.get("q", ""))).newest_first().select_related("section")[:MOST]
    stories = [
        {
            "slug": story.slug,
            "headline": story.headline,
            "about": f"{story.section.name} · {_day(story)}",
        }
        for story in rows.defer("body_markdown", "body_html", "body_text")
    ]
    response = JsonResponse({"stories": stories})
    response.headers["Cache-Control"] = "no-store, private"
    return response


def _day(story: Article) -> str:
    return formats.date_format(story.published_at, "SHORT_DATE_FORMAT") if story.published_at else ""


def _stories(typed: str) -> ArticleQuerySet:
    public = Article.objects.published()
    if not typed:
        return public
    beginnings = " & ".join(f"{word}:*" for word in re.findall(r"\w+", typed)[:MOST_WORDS])
    if not beginnings:
        return public.none()
    return public.filter(search_vector=SearchQuery(beginnings, search_type="raw", config=SEARCH_LANGUAGE))
