"""The search page, and what it suggests while somebody types."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.core.paginator import Page
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from articles import paging, search, search_excerpts, search_query, seo, teasers
from articles.models import Article, Author
from articles.teasers import Teaser
from core import caching, page_tags
from publication import context
from publication.models import Publication

MOST_AUTHORS: Final = 30
MOST: Final = 8


@dataclass(frozen=True, slots=True)
class Hit:
    """A story that was looked for, and the places of its words; `headline` has them marked."""

    story: Teaser
    headline: SafeString
    excerpt: SafeString


@caching.public
def results(request: HttpRequest) -> HttpResponse:
    """Stories that match what was typed, and people and topics of that name; without words, just the form."""
    page_tags.add(page_tags.FEED)
    query = search_query.tidy(request.GET.get("q", ""))
    filters = _filters(request)
    matches = search.stories(query=query, filters=filters)
    page, publication = paging.page_of(matches.stories, request=request), context.of(request)
    title = _("Search: %(query)s") % {"query": query} if query else pgettext("noun", "Search")
    shown = {
        "page": page, "hits": _hits(page, matches, publication), "query": query, "matches": matches, "filters": filters,
        "names": search.names(query=matches.instead or query),
        "authors": _authors(matches, filters), "is_filtered": filters != search.Filters(zone=filters.zone),
        "head": seo.search_head(publication=publication, path=request.path, title=title),
    }  # fmt: skip
    return render(request, "articles/search.html", shown)


@caching.public
def suggestions(request: HttpRequest) -> HttpResponse:
    """Names and headlines with the words that are being typed, as JSON: `[{"title", "about", "url"}]`."""
    query = search_query.tidy(request.GET.get("q", ""))
    names = search.names(query=query)
    stories = search.beginning_with(Article.objects.listed(), query=query, most=search_query.MAX_PARTS)
    newest = stories.newest_first().without_text().select_related("section")
    rows = [
        *((name.title, name.kind, name.url) for name in names),
        *((each.headline, each.section.local.name, each.get_absolute_url()) for each in newest[: MOST - len(names)]),
    ]
    titles = ("title", "about", "url")
    return JsonResponse({"suggestions": [dict(zip(titles, row, strict=True)) for row in rows]})


def _filters(request: HttpRequest) -> search.Filters:
    return search.Filters(
        section=request.GET.get("section", "")[:80], author=request.GET.get("author", "")[:80],
        since=_day(request.GET.get("since", "")), until=_day(request.GET.get("until", "")),
        zone=context.of(request).time_zone,
    )  # fmt: skip


def _day(typed: str) -> date | None:
    """A day as the field of a form writes it; what is none filters nothing."""
    try:
        day = date.fromisoformat(typed)
    except ValueError:
        return None
    return day if 1 < day.year < date.max.year else None


def _hits(page: Page[Any], matches: search.Results, publication: Publication) -> list[Hit]:
    keys = list(page.object_list)
    stories = Article.objects.published().for_cards().defer(None).in_bulk(keys)
    return [
        Hit(
            teasers.of(stories[key], publication=publication),
            search_excerpts.headline(stories[key], parts=matches.parts),
            search_excerpts.excerpt(stories[key], parts=matches.parts),
        )
        for key in keys
        if key in stories
    ]


def _authors(matches: search.Results, filters: search.Filters) -> list[Author]:
    """Who wrote these stories, those with most of them first; the one who is chosen stays."""
    wrote = Author.objects.filter(Q(articles__in=matches.stories) | Q(slug=filters.author))
    return list(wrote.annotate(stories=Count("articles")).order_by("-stories", "name")[:MOST_AUTHORS])
