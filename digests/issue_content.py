"""Everything that an issue is rendered from, read from the database into one comparable value.

Two equal loads prove that nothing changed between them, so a text rendered from the first one does not
mix old words with new ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from articles import captions, syndication
from articles.models import Article, Image
from digests import links
from digests.models import Issue, IssueItem
from publication import colours, languages, times, typefaces, urls
from publication.models import Publication
from subscribers import links as readers_links
from subscribers.models import Newsletter

# The most stories that are shown as headlines, after those in full; the others are counted and linked.
HEADLINES: Final = 30
COLUMN: Final = 576  # pixels: the 640 of the page without its padding, as base.mjml has them
# The sheet on which a mail is written, by day and by night, as base.mjml has it.
PAPER: Final = "#ffffff"
DARK_PAPER: Final = "#1e1b18"
# Long columns that a list of stories does not show.
BODIES: Final = tuple(f"article__{name}" for name in ("body_markdown", "body_text", "body_html"))


@dataclass(frozen=True, slots=True)
class Picture:
    """A story's picture in a mail, with absolute URLs of its renditions."""

    src: str
    width: int
    thumbnail: str
    alt: str
    note: str


@dataclass(frozen=True, slots=True)
class Story:
    """A story in this issue's words. Nothing is escaped yet."""

    headline: str
    summary: str
    url: str
    section: str
    byline: str
    picture: Picture | None
    body_html: str


@dataclass(frozen=True, slots=True)
class IssueContent:
    """An issue's own words, the publication's, and its first stories.

    `stories` are those that may be shown, in their order: at most `in_full` of them in full, then at
    most HEADLINES as headlines. `total` counts all stories of the issue. Subject, preheader, introduction
    and sponsor are what the editor wrote, or empty.
    """

    kind: str
    subject: str
    preheader: str
    introduction: str
    sponsor: str
    words: dict[str, str]
    stories: tuple[Story, ...]
    in_full: int
    total: int
    # The number under which links are counted; None if the newsletter does not count them.
    counted_as: int | None = None


def load(*, issue: Issue, now: datetime) -> IssueContent:
    """Read the issue as it is now, not its snapshot. Dates and addresses are in the newsletter's language.

    The number of queries and rows is bounded, whatever the number of stories.
    """
    publication = Publication.objects.current()
    with languages.override(issue.newsletter.language, publication=publication):
        return _load(issue, publication, now)


def of_story(*, article: Article, newsletter: Newsletter, now: datetime) -> IssueContent:
    """What a mail of this story alone would be rendered from, though it is not public and has no issue: a preview."""
    publication = Publication.objects.current()
    issue = Issue(newsletter=newsletter, kind=Issue.Kind.ARTICLE)
    with languages.override(newsletter.language, publication=publication):
        return IssueContent(
            kind=issue.kind,
            subject="",
            preheader="",
            introduction="",
            sponsor="",
            words=_words(issue, publication, now),
            stories=(_story(IssueItem(article=article), whole=True),),
            in_full=1,
            total=1,
        )


def _load(issue: Issue, publication: Publication, now: datetime) -> IssueContent:
    in_full = issue.newsletter.stories_in_full
    items = IssueItem.objects.filter(issue=issue).public()
    # Two steps, so that PostgreSQL sorts ten thousand ids instead of ten thousand stories.
    first = list(items.values_list("pk", flat=True)[: in_full + HEADLINES])
    shown = IssueItem.objects.filter(pk__in=first).select_related("article__section", "article__lead_image")
    shown = shown.prefetch_related("article__bylines__author")
    if issue.kind != Issue.Kind.ARTICLE:
        shown = shown.defer(*BODIES)
    return IssueContent(
        kind=issue.kind,
        subject=issue.subject,
        preheader=issue.preheader,
        introduction=issue.introduction,
        sponsor=issue.sponsor,
        words=_words(issue, publication, now),
        stories=tuple(_story(item, whole=issue.kind == Issue.Kind.ARTICLE) for item in shown),
        in_full=in_full,
        total=items.count(),
        counted_as=issue.pk if issue.newsletter.counts_clicks else None,
    )


def _story(item: IssueItem, *, whole: bool) -> Story:
    article = item.article
    return Story(
        headline=item.headline or article.headline,
        summary=item.summary or article.summary,
        url=links.article_url(article=article),
        section=article.section.local.name,
        byline=article.byline,
        picture=picture(article.lead_image) if article.lead_image else None,
        body_html=syndication.in_mail(article, width=COLUMN) if whole else "",
    )


def picture(image: Image) -> Picture:
    """A story's picture as a mail shows it."""
    note = captions.note(caption=image.caption, credit=image.credit)
    return Picture(
        src=_absolute(image.url_for(1200)),
        width=min(COLUMN, image.width or COLUMN),
        thumbnail=_absolute(image.url_for(480)),
        alt=image.alt,
        note=note,
    )


def _absolute(url: str) -> str:
    """An absolute URL. Media are served by us (a path) or by a bucket (already absolute)."""
    return urls.absolute(url) if url.startswith("/") else url


def _words(issue: Issue, publication: Publication, now: datetime) -> dict[str, str]:
    """The words of masthead and footer, as plain text."""
    local = (issue.scheduled_for or issue.window_end or now).astimezone(ZoneInfo(issue.newsletter.time_zone))
    return {
        "language": issue.newsletter.language or publication.language,
        "accent": colours.readable(publication.accent_colour, on=PAPER),
        "ink": colours.readable(publication.ink_colour, on=PAPER),
        "dark_accent": colours.readable(publication.accent_colour, on=DARK_PAPER),
        "display": typefaces.IN_MAIL[publication.typeface].display,
        "serif": typefaces.IN_MAIL[publication.typeface].text,
        "newsletter": issue.newsletter.local.name,
        "newsletter_url": readers_links.newsletter_url(newsletter=issue.newsletter),
        "publication": publication.name,
        "strapline": publication.strapline,
        "owner": publication.owner,
        "postal_address": publication.postal_address,
        "logo": _absolute(publication.logo.url) if publication.logo else "",
        "logo_width": str(publication.mail_logo_width),
        "date": times.day(local),
        "web_url": links.web_url(issue=issue),
        "stories_url": links.stories_url(issue=issue),
    }
