"""oEmbed (oembed.com): another site asks for the card of one of our pages, and shows it in a frame.

An app says with `describes` what its pages show. The card itself is a page of ours that any site may frame
(`framable`): it has no form and nothing of a reader.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from csp.decorators import csp_replace
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.xmlutils import SimplerXMLGenerator
from django.views.decorators.clickjacking import xframe_options_exempt

from core import caching
from publication import context, feed_formats, languages, urls
from publication.heads import Head, SharePicture
from publication.models import Publication

WIDTH: Final = 600
HEIGHT: Final = 440
# A card is not readable below it; a site that has less room shows it cut.
LEAST: Final = 120
DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Card:
    """What is said of a page; `frame` is the path of the page that shows it."""

    title: str
    frame: str
    author: str = ""
    author_path: str = ""
    picture: SharePicture | None = None


Describe = Callable[..., Card | None]
View = Callable[..., HttpResponseBase]
_pages: dict[str, Describe] = {}


def describes(url_name: str) -> Callable[[Describe], Describe]:
    """Register what describes the pages of a URL name; it is called with the arguments of its pattern."""

    def register(describe: Describe) -> Describe:
        _pages[url_name] = describe
        return describe

    return register


def framable(view: View) -> View:
    """A page that every site may show in a frame."""
    exempt: View = xframe_options_exempt(csp_replace({"frame-ancestors": ["*"]})(view))
    return exempt


def offered(head: Head) -> Head:
    """The head of a page that `describes` knows, so that other sites find its card."""
    return replace(head, embed=f"{urls.absolute(languages.path('oembed'))}?{urlencode({'url': head.canonical})}")


@caching.public
def provide(request: HttpRequest) -> HttpResponse:
    """The card of `url` as JSON or XML, no larger than `maxwidth` and `maxheight`; 404 for what has none, else 501."""
    form = request.GET.get("format", "json")
    if form not in {"json", "xml"}:
        return HttpResponse(status=501)
    publication = context.of(request)
    card = _card(request.GET.get("url", ""), publication)
    size = (_within(request, "maxwidth", WIDTH), _within(request, "maxheight", HEIGHT))
    data = _data(card, publication, size)
    response = (
        JsonResponse(data) if form == "json" else HttpResponse(_xml(data), content_type="text/xml; charset=utf-8")
    )
    response["Access-Control-Allow-Origin"] = "*"
    return response


def _card(url: str, publication: Publication) -> Card:
    """What is registered for the page at `url`, in the language of its address. On failure: Http404."""
    try:
        asked, ours = urlsplit(url), urlsplit(settings.SITE_URL)
    except ValueError:
        raise Http404("This is no address.") from None
    language = next((code for code in publication.languages[1:] if asked.path.startswith(f"/{code}/")), "")
    path = asked.path.removeprefix(f"/{language}") if language else asked.path
    with languages.override(language, publication=publication):
        card = _described(path) if asked.netloc == ours.netloc else None
    if card is None:
        raise Http404("No page of this site has a card at this address.")
    return card


def _described(path: str) -> Card | None:
    try:
        match = resolve(path)
    except Resolver404:
        return None
    describe = _pages.get(match.url_name or "")
    return describe(**match.kwargs) if describe else None


def _within(request: HttpRequest, name: str, most: int) -> int:
    """The size that the other site has room for. What is no number is none."""
    asked = request.GET.get(name, "")
    return min(most, max(LEAST, int(asked))) if asked.isascii() and asked.isdigit() and len(asked) < 8 else most


def _data(card: Card, publication: Publication, size: tuple[int, int]) -> dict[str, Any]:
    width, height = size
    data: dict[str, Any] = {
        "version": "1.0",
        "type": "rich",
        "title": card.title,
        "provider_name": publication.name,
        "provider_url": urls.absolute("/"),
        "cache_age": DAY,
        "html": str(framed(title=card.title, frame=card.frame, width=width, height=height)),
        "width": width,
        "height": height,
    }
    if card.author:
        data |= {"author_name": card.author, "author_url": urls.absolute(card.author_path)}
    picture = card.picture
    if picture and picture.width and picture.width <= width and picture.height <= height:
        data |= {
            "thumbnail_url": picture.url,
            "thumbnail_width": picture.width,
            "thumbnail_height": picture.height,
        }
    return data


def framed(*, title: str, frame: str, width: int = WIDTH, height: int = HEIGHT) -> SafeString:
    """The HTML with which a page of another site shows the card; `frame` is the path of the card's page."""
    return format_html(
        '<iframe src="{}" width="{}" height="{}" title="{}" loading="lazy" frameborder="0" '
        'style="border:0;max-width:100%"></iframe>',
        urls.absolute(frame), width, height, title,
    )  # fmt: skip


def _xml(data: dict[str, Any]) -> str:
    out = io.StringIO()
    handler = SimplerXMLGenerator(out, "utf-8")
    handler.startDocument()
    handler.startElement("oembed", {})  # type: ignore[arg-type]  # as Django itself calls it
    for name, value in data.items():
        handler.addQuickElement(name, feed_formats.plain(str(value)))
    handler.endElement("oembed")
    handler.endDocument()
    return out.getvalue()
