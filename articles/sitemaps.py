"""What crawlers are told: every page (sitemaps.org 0.9), the news of two days (Google News 0.9), robots.txt."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from articles import feeds
from articles.models import Article, Author, Section, Tag
from core import caching
from publication import times, urls
from publication.models import Publication

SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
NEWS = "http://www.google.com/schemas/sitemap-news/0.9"
# The protocol allows 50,000 addresses in one file.
FILE_LENGTH = 10_000
NEWS_AGE = timedelta(days=2)
NEWS_LENGTH = 1_000
XML = "application/xml; charset=utf-8"

Location = tuple[str, datetime | None]


@caching.public
def sitemap(_request: HttpRequest) -> HttpResponse:
    """Every public page, or the list of the files that hold them when one file would be too long."""
    files = _files()
    if files == 1:
        return _urlset([*_lists(), *_stories(1)])
    locations = ((_file_url(number), None) for number in range(1, files + 1))
    return _document("sitemapindex", "", (_located("sitemap", location) for location in locations))


@caching.public
def sitemap_file(_request: HttpRequest, number: int) -> HttpResponse:
    """One file of a long sitemap; the first begins with the lists."""
    if not 1 <= number <= _files():
        raise Http404("There is no such part of the sitemap.")
    return _urlset([*(_lists() if number == 1 else []), *_stories(number)])


@caching.public
def news_sitemap(_request: HttpRequest) -> HttpResponse:
    """The stories of the last two days, as Google News asks for them."""
    house = Publication.objects.current()
    recent = Article.objects.published().filter(published_at__gt=timezone.now() - NEWS_AGE)
    stories = recent.newest_first().only("slug", "headline", "published_at")[:NEWS_LENGTH]
    return _document("urlset", f' xmlns:news="{NEWS}"', (_element("url", _news(article, house)) for article in stories))


@caching.public
def robots(_request: HttpRequest) -> HttpResponse:
    """Everything may be read but what is nobody else's business."""
    lines = [
        "User-agent: *",
        *(f"Disallow: {path}" for path in ("/admin/", "/api/", "/confirm/", "/preferences/", "/unsubscribe/")),
        f"Disallow: {reverse('search')}",
        "",
        f"Sitemap: {urls.absolute(reverse('sitemap'))}",
        f"Sitemap: {urls.absolute(reverse('news_sitemap'))}",
        "",
    ]
    return HttpResponse("\n".join(lines), content_type="text/plain; charset=utf-8")


def _files() -> int:
    return max(1, -(-Article.objects.published().count() // FILE_LENGTH))


def _file_url(number: int) -> str:
    return urls.absolute(reverse("sitemap_file", args=[number]))


def _stories(number: int) -> Iterator[Location]:
    """The stories of one file, oldest first, so that a new story changes only the last file."""
    stories = Article.objects.published().order_by("pk").only("slug", "updated_at")
    for article in stories[(number - 1) * FILE_LENGTH : number * FILE_LENGTH]:
        yield urls.absolute(article.get_absolute_url()), article.updated_at


def _lists() -> Iterator[Location]:
    """The front page, and the sections, tags and authors that have a story to show."""
    yield urls.absolute("/"), None
    public = Article.objects.published()
    for rows in (Section.objects.all(), Tag.objects.all(), Author.objects.all()):
        for row in rows.filter(articles__in=public).distinct():
            yield urls.absolute(row.get_absolute_url()), None


def _news(article: Article, house: Publication) -> list[str]:
    about = [_element("news:name", house.name), _element("news:language", house.language)]
    news = [
        _element("news:publication", about),
        _element("news:publication_date", times.machine_readable(article.published_at)),
        _element("news:title", article.headline),
    ]
    return [_element("loc", urls.absolute(article.get_absolute_url())), _element("news:news", news)]


def _urlset(locations: Iterable[Location]) -> HttpResponse:
    return _document("urlset", "", (_located("url", location) for location in locations))


def _located(name: str, location: Location) -> str:
    address, changed_at = location
    parts = [_element("loc", address)]
    if changed_at:
        parts.append(_element("lastmod", times.machine_readable(changed_at)))
    return _element(name, parts)


def _document(root: str, namespaces: str, elements: Iterable[str]) -> HttpResponse:
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{SITEMAP}"{namespaces}>\n'
    return HttpResponse([head, "\n".join(elements), f"\n</{root}>\n"], content_type=XML)


def _element(name: str, content: str | list[str]) -> str:
    """An element around text, which is escaped, or around elements."""
    inside = escape(feeds.plain(content)) if isinstance(content, str) else "".join(content)
    return f"<{name}>{inside}</{name}>"
