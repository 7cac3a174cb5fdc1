"""A story as lists show it: plain values, made once from a row, so that a template only writes them down."""

from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.utils import dateformat, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import pgettext

from articles import captions, typography
from articles.models import Article, Author, Image
from core import page_tags
from publication import frames, times
from publication.models import Publication
from publication.shared_parts import SharedParts


@dataclass(frozen=True, slots=True)
class Teaser:
    """What `templates/articles/_card.html` writes; the headline is typeset, the byline has its links.

    `tags`: what of other rows it shows.
    """

    pk: int
    url: str
    language: str
    headline: str
    summary: str
    section: str
    section_url: str
    byline: SafeString
    published: str
    day: str
    hour: str
    picture: Image | None
    tags: tuple[str, ...]


def of(article: Article, *, publication: Publication) -> Teaser:
    """The teaser of a story that has its relations; days and hours are in the publication's time zone."""
    moment = article.published_at
    local = timezone.localtime(moment, ZoneInfo(publication.time_zone)) if moment else None
    return Teaser(
        pk=article.pk,
        url=article.get_absolute_url(),
        language=article.language,
        headline=typography.headline(article.headline, article.language),
        summary=article.summary,
        section=article.section.local.name,
        section_url=article.section.get_absolute_url(),
        byline=byline(entry.author for entry in article.bylines.all()),
        published=times.machine_readable(moment),
        day=times.day(local),
        hour=dateformat.format(local, "H:i") if local else "",
        picture=article.lead_image,
        tags=tuple(_tags(article)),
    )


def public(numbers: Iterable[int], *, publication: Publication, parts: SharedParts) -> dict[int, Teaser]:
    """The teasers of those of these stories that are public, from the process where it has them."""

    def read(missing: list[int]) -> dict[int, tuple[Teaser, tuple[str, ...]]]:
        stories = Article.objects.published().for_cards().filter(pk__in=missing)
        return {teaser.pk: (teaser, teaser.tags) for teaser in all_of(stories, publication=publication)}

    asked = list(numbers)
    # Also those that are not public now: they are shown when they come back.
    page_tags.add(*(f"article:{number}" for number in asked))
    return parts.each("teaser", asked, read)


def all_of(articles: Iterable[Article], *, publication: Publication) -> list[Teaser]:
    """The teasers of stories, in their order."""
    return [of(article, publication=publication) for article in articles]


def card(
    teaser: Teaser,
    *,
    sizes: str,
    publication: Publication,
    parts: SharedParts,
    kind: str = "",
    level: int = 2,
    first: bool = False,
) -> SafeString:
    """The card of a public story, written once for all pages that show it so.

    `kind` is empty, wide, lead, second or row; `level` that of its heading; `first` when it is seen at once.
    """
    how = {"kind": kind, "level": level, "sizes": sizes, "first": first}
    return parts.words(
        ("card", teaser.pk, *how.values()),
        lambda: frames.written("articles/_card.html", card=teaser, publication=publication, **how),
        tags=teaser.tags,
    )


def byline(authors: Iterable[Author]) -> SafeString:
    """“By A, B and C” with a link for each; empty for nobody."""
    names = [
        format_html('<a href="{}" rel="author">{}</a>', author.get_absolute_url(), author.local.name)
        for author in authors
    ]
    if not names:
        return SafeString("")
    joined = mark_safe(captions.names(names))  # noqa: S308  # each name is escaped in its link
    return format_html("{} {}", pgettext("before the names of authors", "By"), joined)


def _tags(article: Article) -> Iterable[str]:
    yield f"article:{article.pk}"
    if article.lead_image_id:
        yield f"image:{article.lead_image_id}"
    for entry in article.bylines.all():
        yield f"author:{entry.author_id}"
