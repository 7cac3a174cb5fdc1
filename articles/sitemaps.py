"""Sitemaps: all pages (sitemaps.org 0.9), the news of two days (Google News 0.9), llms.txt and robots.txt."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.sitemaps import Sitemap
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from articles import translations
from articles.models import Article, Author, Section, Tag
from core import caching, page_tags
from publication import feed_formats, languages, urls
from publication.models import Publication

# Readers' own pages and results of a search, by the first part of their paths.
UNINDEXED: Final = ("confirm", "preferences", "unsubscribe", "search")
# The protocol allows 50,000 addresses in one file; a file has the stories of as many numbers, fewer where some are not
# public, so that neither it nor the list of files counts or skips rows.
FILE_LENGTH = 10_000
# As wide as a picture of a page gets.
PICTURE_WIDTH: Final = 1_600
NEWS_AGE: Final = timedelta(days=2)
NEWS_LENGTH: Final = 1_000
LISTED: Final = 30
# What is read of a picture.
PICTURE: Final = ("lead_image__file", "lead_image__width", "lead_image__renditions")
XML: Final = "application/xml; charset=utf-8"


class _Pages(Sitemap):  # type: ignore[type-arg]  # generic only in the stubs
    """Pages under the site's own address, whatever host was asked."""

    def get_urls(self, page: int | str = 1, site: Any = None, protocol: str | None = None) -> list[dict[str, Any]]:
        return super().get_urls(page, site, urlsplit(settings.SITE_URL).scheme)

    def get_domain(self, site: Any = None) -> str:
        return urlsplit(settings.SITE_URL).netloc


class Lists(_Pages):
    """The front page, the corrections, and the sections, tags and authors that have a story to show."""

    def items(self) -> Sequence[str]:
        public = Article.objects.listed()
        lists = (model.objects.filter(articles__in=public).distinct() for model in (Section, Tag, Author))
        return [reverse("front"), reverse("corrections"), *(row.get_absolute_url() for rows in lists for row in rows)]

    def location(self, item: str) -> str:
        return item


class Stories(_Pages):
    """The stories of one file, oldest first, so that a new one changes the last file only."""

    def __init__(self, number: int) -> None:
        self.last = number * FILE_LENGTH

    def items(self) -> QuerySet[Article]:
        of_file = Article.objects.listed().filter(pk__gt=self.last - FILE_LENGTH, pk__lte=self.last)
        return (
            of_file.order_by("pk")
            .select_related("lead_image")
            .only("slug", "updated_at", "language", "translation_of", *PICTURE)
        )

    def get_urls(self, page: int | str = 1, site: Any = None, protocol: str | None = None) -> list[dict[str, Any]]:
        """As the base, with the picture and the translations of each story."""
        entries = [entry | _pictured(entry["item"]) for entry in super().get_urls(page, site, protocol)]
        if languages.further():
            translated = translations.languages_of([entry["item"] for entry in entries])
            for entry in entries:
                entry["alternates"] = [
                    (code, urls.absolute(path)) for code, path in translated.get(entry["item"].pk, [])
                ]
        return entries

    def lastmod(self, item: Article) -> datetime:
        return item.updated_at


class News(_Pages):
    """The stories of the last two days, as Google News asks for them."""

    limit = NEWS_LENGTH

    def items(self) -> QuerySet[Article]:
        recent = Article.objects.listed().filter(published_at__gt=timezone.now() - NEWS_AGE)
        recent = recent.newest_first().select_related("lead_image")
        return recent.only("slug", "headline", "published_at", "language", *PICTURE)[:NEWS_LENGTH]

    def get_urls(self, page: int | str = 1, site: Any = None, protocol: str | None = None) -> list[dict[str, Any]]:
        """As the base, with the headline and the publication as XML can carry them."""
        publication = Publication.objects.current()
        plain = feed_formats.plain
        about = {"name": plain(publication.name)}
        entries = super().get_urls(page, site, protocol)
        if entries:
            page_tags.fresh_until(min(entry["item"].published_at for entry in entries) + NEWS_AGE)
        return [
            entry | _pictured(entry["item"]) | {"headline": plain(entry["item"].headline), "publication": about}
            for entry in entries
        ]


@caching.public
def sitemap(request: HttpRequest) -> HttpResponse:
    """Every public page, or the list of the files that hold them when one file would be too long."""
    page_tags.add(page_tags.FEED)
    files = _files()
    if len(files) < 2:
        return _urlset(request, of=(Lists(), *map(Stories, files)))
    numbers = sorted({1, *files})
    sitemaps = [{"location": urls.absolute(reverse("sitemap_file", args=[number]))} for number in numbers]
    return render(request, "sitemap_index.xml", {"sitemaps": sitemaps}, content_type=XML)


@caching.public
def sitemap_file(request: HttpRequest, number: int) -> HttpResponse:
    """One file of a long sitemap; the first begins with the lists."""
    return _urlset(request, of=(Lists(), Stories(number)) if number == 1 else (Stories(number),))


@caching.public
def news_sitemap(request: HttpRequest) -> HttpResponse:
    """The stories of the last two days."""
    return _urlset(request, of=(News(),), is_news=True)


@caching.public
def robots(_request: HttpRequest) -> HttpResponse:
    """Everything may be read but what is nobody else's business, in every language."""
    house = Publication.objects.current()
    prefixes = [languages.prefix(language=language, publication=house) for language in house.languages]
    lines = [
        "User-agent: *",
        *(f"Disallow: {path}" for path in ("/admin/", "/api/")),
        *(f"Disallow: {prefix}{path}/" for prefix in prefixes for path in UNINDEXED),
        "",
        *(
            f"Sitemap: {urls.absolute(languages.path_in(language, name))}"
            for language in house.languages
            for name in ("sitemap", "news_sitemap")
        ),
        "",
    ]
    return HttpResponse("\n".join(lines), content_type="text/plain; charset=utf-8")


@caching.public
def llms(_request: HttpRequest) -> HttpResponse:
    """The site for language models (llmstxt.org): what it is, its sections, and where its texts are whole."""
    page_tags.add(page_tags.FEED)
    house = Publication.objects.current()
    sections = [
        f"- [{desk.name}]({urls.absolute(desk.get_absolute_url())}): {desk.description}".rstrip(": ")
        for desk in Section.objects.all()
    ]
    newest = Article.objects.published().newest_first().only("headline", "slug", "standfirst")[:LISTED]
    stories = [f"- [{story.headline}]({urls.absolute(story.get_absolute_url())})" for story in newest]
    feed, index = urls.absolute(reverse("feed_json")), urls.absolute(reverse("sitemap"))
    lines = [f"# {house.name}", "", f"> {house.strapline or house.name}", "", "## Sections", "", *sections]
    lines += ["", "## Newest stories", "", *stories, "", "## Whole texts", "", f"- [JSON Feed]({feed})"]
    lines += [f"- [Sitemap]({index})", ""]
    return HttpResponse("\n".join(lines), content_type="text/plain; charset=utf-8")


def _files() -> list[int]:
    """The files that have a story; the first story of each is looked for, none is counted."""
    listed = Article.objects.listed().order_by("pk").values_list("pk", flat=True)
    newest = listed.last() or 0
    starts = range(0, newest, FILE_LENGTH)
    firsts = [listed.filter(pk__gt=start, pk__lte=start + FILE_LENGTH)[:1] for start in starts]
    beginnings = Article.objects.none().values_list("pk", flat=True).union(*firsts, all=True) if firsts else ()
    return sorted((pk - 1) // FILE_LENGTH + 1 for pk in beginnings)


def _pictured(story: Article) -> dict[str, str]:
    picture = story.lead_image
    return {"picture": urls.absolute(picture.url_for(PICTURE_WIDTH))} if picture else {}


def _urlset(request: HttpRequest, *, of: Sequence[_Pages], is_news: bool = False) -> HttpResponse:
    page_tags.add(page_tags.FEED)
    urlset = [entry for sitemap in of for entry in sitemap.get_urls()]
    if not (urlset or is_news):
        raise Http404("There is no such part of the sitemap.")
    shown = {
        "urlset": urlset,
        "is_news": is_news,
        "is_translated": any(entry.get("alternates") for entry in urlset),
        "has_pictures": any(entry.get("picture") for entry in urlset),
    }
    return render(request, "articles/sitemap.xml", shown, content_type=XML)
