"""What the dialog of cards asks: stories that readers can see, by the beginnings of their words."""

from typing import Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import formats

from articles import permissions, search, search_query
from articles.models import Article
from publication.row_actions import account

MOST: Final = 20
MOST_WORDS: Final = 8


def stories_view(request: HttpRequest) -> HttpResponse:
    """The newest public stories with these words, as JSON, for those who write."""
    if not account(request).has_perm(permissions.ADD):
        raise PermissionDenied
    typed = search_query.tidy(request.GET.get("q", ""))
    public = Article.objects.published()
    if typed:
        public = search.beginning_with(public, query=typed, most=MOST_WORDS)
    rows = public.newest_first().without_text().select_related("section")[:MOST]
    stories = [
        {"slug": story.slug, "headline": story.headline, "about": f"{story.section.name} · {_day(story)}"}
        for story in rows
    ]
    response = JsonResponse({"stories": stories})
    response.headers["Cache-Control"] = "no-store, private"
    return response


def _day(story: Article) -> str:
    return formats.date_format(story.published_at, "SHORT_DATE_FORMAT") if story.published_at else ""
