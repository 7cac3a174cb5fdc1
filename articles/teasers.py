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
from publication import times
from publication.models import Publication


@dataclass(frozen=True, slots=True)
class Teaser:
    """What `templates/articles/_card.html` writes; the headline is typeset, the byline has its links."""

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
    )


def all_of(articles: Iterable[Article], *, publication: Publication) -> list[Teaser]:
    """The teasers of stories, in their order."""
    return [of(article, publication=publication) for article in articles]


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
