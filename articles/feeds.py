"""The newest stories for feed readers: RSS 2.0, Atom (RFC 4287) and JSON Feed 1.1, all from one list."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import feedgenerator
from django.utils.feedgenerator import SyndicationFeed
from django.utils.html import escape
from django.utils.xmlutils import SimplerXMLGenerator

from articles import images, syndication
from articles.models import Article
from core import caching, page_tags
from publication import times, urls
from publication.models import Publication

LENGTH = 30
# What XML 1.0 cannot carry in any form; JSON is spared it as well.
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
MEDIA = {"xmlns:media": "http://search.yahoo.com/mrss/"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One story as every feed tells it: plain characters, absolute addresses."""

    article: Article
    url: str
    title: str
    summary: str
    html: str
    authors: list[str]
    categories: list[str]
    published_at: datetime | None
    image: images.Enclosure | None
    media: dict[str, str]


@caching.public
def rss(request: HttpRequest) -> HttpResponse:
    """RSS 2.0 with the whole text in content:encoded."""
    return _xml(RssFeed, request, "application/rss+xml; charset=utf-8")


@caching.public
def atom(request: HttpRequest) -> HttpResponse:
    """Atom with the whole text as HTML content."""
    return _xml(AtomFeed, request, "application/atom+xml; charset=utf-8")


@caching.public
def json_feed(request: HttpRequest) -> HttpResponse:
    """JSON Feed 1.1."""
    publication = Publication.objects.current()
    response = JsonResponse(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": publication.name,
            "home_page_url": urls.absolute("/"),
            "feed_url": urls.absolute(request.path),
            "description": publication.strapline,
            "language": publication.language,
            "items": [_json_item(entry) for entry in _entries()],
        },
        content_type="application/feed+json",
    )
    return caching.changed_at(response, _changed_at())


class RssFeed(feedgenerator.Rss201rev2Feed):
    """RSS with content:encoded, dc:creator and media:content: the text, the authors' names and the picture."""

    def rss_attributes(self) -> dict[str, str]:
        """The name spaces beside RSS's own."""
        return {
            **super().rss_attributes(),
            "xmlns:content": "http://purl.org/rss/1.0/modules/content/",
            "xmlns:dc": "http://purl.org/dc/elements/1.1/",
            **MEDIA,
        }

    def add_item_elements(self, handler: SimplerXMLGenerator, item: dict[str, Any]) -> None:
        """The text and the names, as escaped text: no CDATA that a story could end."""
        super().add_item_elements(handler, item)
        for name in item["names"]:
            handler.addQuickElement("dc:creator", name)
        handler.addQuickElement("content:encoded", item["html"])
        _add_picture(handler, item)


class AtomFeed(feedgenerator.Atom1Feed):
    """Atom with every author, the text as content, and the picture."""

    def root_attributes(self) -> dict[str, str]:
        """The name space beside Atom's own."""
        return {**super().root_attributes(), **MEDIA}

    def add_item_elements(self, handler: SimplerXMLGenerator, item: dict[str, Any]) -> None:
        """The names and the text."""
        super().add_item_elements(handler, item)
        for name in item["names"]:
            handler.startElement("author", {})  # type: ignore[arg-type]  # as Django itself calls it
            handler.addQuickElement("name", name)
            handler.endElement("author")
        handler.addQuickElement("content", item["html"], {"type": "html"})
        _add_picture(handler, item)


def _add_picture(handler: SimplerXMLGenerator, item: dict[str, Any]) -> None:
    """The lead picture with its words, by Media RSS; the enclosure beside it is Django's to write."""
    image: images.Enclosure | None = item["image"]
    if image is None:
        return
    size = {"width": str(image.width), "height": str(image.height)} if image.height else {}
    attributes = {"url": image.url, "type": image.type, "medium": "image", "fileSize": str(image.length), **size}
    handler.startElement("media:content", attributes)  # type: ignore[arg-type]  # as Django itself calls it
    for name, words in item["media"].items():
        if words:
            handler.addQuickElement(f"media:{name}", words, {} if name == "credit" else {"type": "plain"})
    handler.endElement("media:content")


def _xml(kind: Callable[..., SyndicationFeed], request: HttpRequest, content_type: str) -> HttpResponse:
    publication = Publication.objects.current()
    feed = kind(
        title=plain(publication.name),
        link=urls.absolute("/"),
        description=plain(publication.strapline or publication.name),
        language=publication.language,
        feed_url=urls.absolute(request.path),
        author_name=plain(publication.name),
    )
    for entry in _entries():
        feed.add_item(
            title=entry.title,
            link=entry.url,
            # Feed readers take an RSS description, and Atom's summary as Django types it, for HTML.
            description=escape(entry.summary),
            unique_id=_identity(entry.article),
            unique_id_is_permalink=False,
            pubdate=times.whole_seconds(entry.published_at),
            updateddate=times.whole_seconds(entry.article.updated_at),
            categories=entry.categories,
            names=entry.authors,
            html=entry.html,
            image=entry.image,
            media=entry.media,
            enclosures=_enclosures(entry.image),
        )
    response = HttpResponse(feed.writeString("utf-8"), content_type=content_type)
    return caching.changed_at(response, _changed_at())


def _entries() -> list[Entry]:
    page_tags.add(page_tags.FEED)
    stories = Article.objects.published().newest_first().with_related().defer("body_markdown", "body_text")
    return [_entry(article) for article in stories[:LENGTH]]


def _entry(article: Article) -> Entry:
    image = article.lead_image
    return Entry(
        article=article,
        url=urls.absolute(article.get_absolute_url()),
        title=plain(article.headline),
        summary=plain(article.summary),
        html=plain(syndication.in_feed(article)),
        authors=[plain(entry.author.name) for entry in article.bylines.all()],
        categories=[plain(article.section.name), *(plain(tag.name) for tag in article.tags.all())],
        published_at=article.published_at,
        image=images.enclosure(image) if image else None,
        media={"title": plain(image.caption), "description": plain(image.alt), "credit": plain(image.credit)}
        if image
        else {},
    )


def _enclosures(image: images.Enclosure | None) -> list[feedgenerator.Enclosure]:
    return [feedgenerator.Enclosure(image.url, str(image.length), image.type)] if image else []


def _json_item(entry: Entry) -> dict[str, object]:
    item: dict[str, object] = {
        "id": _identity(entry.article),
        "url": entry.url,
        "title": entry.title,
        "summary": entry.summary,
        "content_html": entry.html,
        "authors": [{"name": name} for name in entry.authors],
        "tags": entry.categories,
        "date_published": times.machine_readable(entry.published_at),
        "date_modified": times.machine_readable(entry.article.updated_at),
        "image": entry.image.url if entry.image else None,
    }
    return {name: value for name, value in item.items() if value or name == "content_html"}


def _identity(article: Article) -> str:
    """Stays the same when the address changes, so that no reader sees a story twice (RFC 4151)."""
    return f"tag:{settings.SITE_HOST},{article.created_at:%Y-%m-%d}:article/{article.pk}"


def plain(text: str) -> str:
    """The text without the characters that XML cannot carry in any form."""
    return NOT_XML.sub(" ", text)


def _changed_at() -> datetime | None:
    """When a story that readers know was last touched, its withdrawal included."""
    return Article.objects.on_record().order_by("-updated_at").values_list("updated_at", flat=True).first()
