"""A list for feed readers, as RSS 2.0, Atom (RFC 4287) or JSON Feed 1.1: the same in each."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import feedgenerator
from django.utils.feedgenerator import SyndicationFeed
from django.utils.html import escape
from django.utils.xmlutils import SimplerXMLGenerator

from core import caching
from publication import languages, times, urls
from publication.models import Publication

Kind = Literal["rss", "atom", "json"]
KINDS: Final[tuple[Kind, ...]] = ("rss", "atom", "json")
LENGTH: Final = 30
# What XML 1.0 cannot carry in any form; JSON is spared it as well.
NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
MEDIA: Final = {"xmlns:media": "http://search.yahoo.com/mrss/"}


class Enclosure(NamedTuple):
    """A picture's file as RSS and Atom describe one; `length` is in bytes."""

    url: str
    type: str
    length: int
    width: int
    height: int


class Writer(NamedTuple):
    """Who wrote an entry, and the address of the page that says more."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. Addresses are absolute, also those within `html`; `identity` stays when the address changes."""

    identity: str
    url: str
    title: str
    summary: str
    html: str
    published_at: datetime | None
    updated_at: datetime
    writers: tuple[Writer, ...] = ()
    categories: tuple[str, ...] = ()
    image: Enclosure | None = None
    media: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Channel:
    """A feed: `path` is the page that shows the same list; `changed_at` is when anything in it last changed."""

    title: str
    path: str
    description: str
    entries: tuple[Entry, ...]
    changed_at: datetime | None


def plain(text: str) -> str:
    """The text without the characters that XML cannot carry in any form."""
    return NOT_XML.sub(" ", text)


def response(request: HttpRequest, *, kind: Kind, channel: Channel, publication: Publication) -> HttpResponse:
    """The feed in one of the three formats, with the date that a conditional GET asks for."""
    if kind == "json":
        written = _json(request, channel, publication)
    elif kind == "atom":
        written = _xml(AtomFeed, request, channel, publication, "application/atom+xml; charset=utf-8")
    else:
        written = _xml(RssFeed, request, channel, publication, "application/rss+xml; charset=utf-8")
    return caching.changed_at(written, channel.changed_at)


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
        for writer in item["writers"]:
            handler.addQuickElement("dc:creator", plain(writer.name))
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
        for writer in item["writers"]:
            handler.startElement("author", {})  # type: ignore[arg-type]  # as Django itself calls it
            handler.addQuickElement("name", plain(writer.name))
            handler.addQuickElement("uri", writer.url)
            handler.endElement("author")
        handler.addQuickElement("content", item["html"], {"type": "html"})
        _add_picture(handler, item)


def _add_picture(handler: SimplerXMLGenerator, item: dict[str, Any]) -> None:
    """The lead picture with its words, by Media RSS; the enclosure beside it is Django's to write."""
    image: Enclosure | None = item["image"]
    if image is None:
        return
    size = {"width": str(image.width), "height": str(image.height)} if image.height else {}
    attributes = {"url": image.url, "type": image.type, "medium": "image", "fileSize": str(image.length), **size}
    handler.startElement("media:content", attributes)  # type: ignore[arg-type]  # as Django itself calls it
    for name, words in item["media"].items():
        if words:
            handler.addQuickElement(f"media:{name}", plain(words), {} if name == "credit" else {"type": "plain"})
    handler.endElement("media:content")


def _xml(
    kind: Callable[..., SyndicationFeed],
    request: HttpRequest,
    channel: Channel,
    publication: Publication,
    content_type: str,
) -> HttpResponse:
    feed = kind(
        title=plain(channel.title),
        link=urls.absolute(channel.path),
        description=plain(channel.description or channel.title),
        language=languages.declared(publication=publication),
        feed_url=urls.absolute(request.path),
        author_name=plain(publication.name),
    )
    for entry in channel.entries:
        feed.add_item(
            title=plain(entry.title),
            link=entry.url,
            # Feed readers take an RSS description, and Atom's summary as Django types it, for HTML.
            description=escape(plain(entry.summary)),
            unique_id=entry.identity,
            unique_id_is_permalink=False,
            pubdate=times.whole_seconds(entry.published_at),
            updateddate=times.whole_seconds(entry.updated_at),
            categories=[plain(name) for name in entry.categories],
            writers=entry.writers,
            html=plain(entry.html),
            image=entry.image,
            media=entry.media,
            enclosures=_enclosures(entry.image),
        )
    return HttpResponse(feed.writeString("utf-8"), content_type=content_type)


def _enclosures(image: Enclosure | None) -> list[feedgenerator.Enclosure]:
    return [feedgenerator.Enclosure(image.url, str(image.length), image.type)] if image else []


def _json(request: HttpRequest, channel: Channel, publication: Publication) -> HttpResponse:
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": plain(channel.title),
        "home_page_url": urls.absolute(channel.path),
        "feed_url": urls.absolute(request.path),
        "description": plain(channel.description),
        "language": languages.declared(publication=publication),
        "authors": [{"name": plain(publication.name), "url": urls.absolute("/")}],
        "items": [_json_item(entry) for entry in channel.entries],
    }
    return JsonResponse(
        {name: value for name, value in feed.items() if value or name == "items"}, content_type="application/feed+json"
    )


def _json_item(entry: Entry) -> dict[str, object]:
    item: dict[str, object] = {
        "id": entry.identity,
        "url": entry.url,
        "title": plain(entry.title),
        "summary": plain(entry.summary),
        "content_html": plain(entry.html),
        "authors": [{"name": plain(writer.name), "url": writer.url} for writer in entry.writers],
        "tags": [plain(name) for name in entry.categories],
        "date_published": times.machine_readable(entry.published_at),
        "date_modified": times.machine_readable(entry.updated_at),
        "image": entry.image.url if entry.image else None,
    }
    return {name: value for name, value in item.items() if value or name == "content_html"}
