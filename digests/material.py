"""What an issue is written from: all that is read from the database, as one value that can be compared.

Two loads that are equal prove that nothing was changed between them, so what was written from the
first one does not mix old words with new ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from articles import captions, elsewhere
from articles.models import Image
from digests import links
from digests.models import Issue, IssueItem
from publication import languages, times, urls
from publication.models import Publication
from subscribers import links as readers_links

# The most stories that are shown as headlines, after those in full; the others are counted and linked.
HEADLINES: Final = 30
COLUMN: Final = 576  # pixels: the 640 of the page without its padding, as base.mjml has them
# Long columns that a list of stories does not show.
BODIES: Final = tuple(f"article__{name}" for name in ("body_markdown", "body_text", "body_html", "search_vector"))


@dataclass(frozen=True, slots=True)
class Picture:
    """A story's picture as it stands in a mail: whole addresses of its renditions."""

    src: str
    width: int
    thumbnail: str
    alt: str
    note: str


@dataclass(frozen=True, slots=True)
class Story:
    """A story as this issue tells it, all of it as it was typed: nothing is escaped yet."""

    headline: str
    summary: str
    url: str
    section: str
    byline: str
    picture: Picture | None
    body_html: str


@dataclass(frozen=True, slots=True)
class Material:
    """An issue's own words, the publication's, and its first stories; `total` counts all of its stories.

    `stories` holds those that may be shown, in their order: at most `in_full` of them in full, then at
    most HEADLINES as headlines. Subject, preheader and introduction are what the editor wrote, or empty.
    """

    kind: str
    subject: str
    preheader: str
    introduction: str
    words: dict[str, str]
    stories: tuple[Story, ...]
    in_full: int
    total: int


def load(*, issue: Issue, now: datetime) -> Material:
    """Read the issue as it is now, not its snapshot; its dates and addresses are in the newsletter's language.

    However many stories it has, queries and rows are bounded.
    """
    publication = Publication.objects.current()
    with languages.override(issue.newsletter.language, publication=publication):
        return _load(issue, publication, now)


def _load(issue: Issue, publication: Publication, now: datetime) -> Material:
    in_full = issue.newsletter.stories_in_full
    places = IssueItem.objects.filter(issue=issue).public()
    # Two steps: sorted are ten thousand numbers, and not as many stories.
    first = list(places.values_list("pk", flat=True)[: in_full + HEADLINES])
    shown = IssueItem.objects.filter(pk__in=first).select_related("article__section", "article__lead_image")
    shown = shown.prefetch_related("article__bylines__author")
    if issue.kind != Issue.Kind.ARTICLE:
        shown = shown.defer(*BODIES)
    return Material(
        kind=issue.kind,
        subject=issue.subject,
        preheader=issue.preheader,
        introduction=issue.introduction,
        words=_words(issue, publication, now),
        stories=tuple(_story(item, whole=issue.kind == Issue.Kind.ARTICLE) for item in shown),
        in_full=in_full,
        total=places.count(),
    )


def _story(item: IssueItem, *, whole: bool) -> Story:
    article = item.article
    return Story(
        headline=item.headline or article.headline,
        summary=item.summary or article.summary,
        url=links.article_url(article=article),
        section=article.section.name,
        byline=article.byline,
        picture=_picture(article.lead_image) if article.lead_image else None,
        body_html=elsewhere.in_mail(article, width=COLUMN) if whole else "",
    )


def _picture(image: Image) -> Picture:
    note = captions.note(caption=image.caption, credit=image.credit)
    return Picture(
        src=_whole(image.url_for(1200)),
        width=min(COLUMN, image.width or COLUMN),
        thumbnail=_whole(image.url_for(480)),
        alt=image.alt,
        note=note,
    )


def _whole(url: str) -> str:
    """Media may be served by us (a path) or by a bucket (a whole address)."""
    return urls.absolute(url) if url.startswith("/") else url


def _words(issue: Issue, publication: Publication, now: datetime) -> dict[str, str]:
    """What masthead and footer say, as plain text."""
    local = (issue.scheduled_for or issue.window_end or now).astimezone(ZoneInfo(issue.newsletter.time_zone))
    return {
        "language": issue.newsletter.language or publication.language,
        "accent": publication.accent_colour,
        "ink": publication.ink_colour,
        "newsletter": issue.newsletter.name,
        "newsletter_url": readers_links.newsletter_url(newsletter=issue.newsletter),
        "publication": publication.name,
        "strapline": publication.strapline,
        "owner": publication.owner,
        "postal_address": publication.postal_address,
        "logo": _whole(publication.logo.url) if publication.logo else "",
        "logo_width": str(publication.mail_logo_width),
        "date": times.day(local),
        "web_url": links.web_url(issue=issue),
        "stories_url": links.stories_url(issue=issue),
    }
