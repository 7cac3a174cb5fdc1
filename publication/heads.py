"""What a public page tells search engines, link previews and feed readers in its head (`templates/_head.html`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.safestring import SafeString

from publication import structured, urls
from publication.models import Publication


class Step(NamedTuple):
    """A page above this one, as breadcrumbs show it: its name and its path."""

    name: str
    path: str


class SharePicture(NamedTuple):
    """What a link preview shows: a whole address, its size in pixels (0: not known), and what it shows."""

    url: str
    alt: str = ""
    width: int = 0
    height: int = 0


class FeedLink(NamedTuple):
    """A list's own feeds: what a feed reader calls them, and their path without `feed.rss`."""

    title: str
    path: str


@dataclass(frozen=True, slots=True)
class Head:
    """Every address is absolute but those of feeds. `properties` are further Open Graph properties."""

    canonical: str
    title: str
    description: str
    kind: str = "website"
    image: SharePicture | None = None
    properties: tuple[tuple[str, str], ...] = ()
    structured: SafeString | None = None
    feeds: FeedLink | None = None
    embed: str = ""
    noindex: bool = False


def address(path: str, number: int = 1) -> str:
    """The canonical address of a page; each further page of a list has its own."""
    return urls.absolute(path) + (f"?page={number}" if number > 1 else "")


def page(
    *,
    publication: Publication,
    path: str,
    title: str,
    description: str,
    above: Sequence[Step] = (),
    number: int = 1,
    kind: str = "WebPage",
    about: dict[str, Any] | None = None,
    listed: Iterable[tuple[str, str]] | None = None,
    feeds: FeedLink | None = None,
    noindex: bool = False,
) -> Head:
    """The head of a page that is no story: `kind` and `about` are schema.org's, `listed` names and paths of a list."""
    canonical = address(path, number)
    described = structured.web_page(
        kind=kind,
        address=canonical,
        name=title,
        description=description,
        publication=publication,
        about=about if listed is None else structured.item_list(listed),
    )
    graph = [described, structured.breadcrumbs([*above, Step(title, path)], publication=publication)]
    return Head(
        canonical=canonical,
        title=title,
        description=description or publication.strapline,
        kind="profile" if kind == "ProfilePage" else "website",
        structured=structured.script(graph),
        feeds=feeds,
        noindex=noindex,
    )


def home(*, publication: Publication, path: str, number: int, listed: Iterable[tuple[str, str]]) -> Head:
    """The head of the front page, which says who we are and where to search."""
    canonical = address(path, number)
    described = structured.web_page(
        kind="CollectionPage",
        address=canonical,
        name=publication.name,
        description=publication.strapline,
        publication=publication,
        about=structured.item_list(listed),
    )
    graph = [structured.organization(publication), structured.website(publication), described]
    return Head(
        canonical=canonical,
        title=publication.name,
        description=publication.strapline,
        structured=structured.script(graph),
    )
