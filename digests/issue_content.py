"""Everything that an issue is rendered from, read from the database into one comparable value.

Two equal loads prove that nothing changed between them, so a text rendered from the first one does not
mix old words with new ones.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from articles import captions, syndication
from articles.models import Article, Image
from digests import amendments, links, variants
from digests.models import Issue, IssueItem
from digests.variant_keys import OWN, VariantKey
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
    """A story in this issue's words. Nothing is escaped yet. `is_stale`: a translation whose original has changed."""

    language: str
    is_stale: bool
    headline: str
    headline_language: str
    summary: str
    summary_language: str
    url: str
    section: str
    byline: str
    picture: Picture | None
    body_html: str


@dataclass(frozen=True, slots=True)
class Unworded:
    """What an editor wrote of a story for this issue, in the issue's own language alone.

    `field` is "headline" or "summary". Readers of the variant see the translated story's own, or these words where the
    story is not translated either.
    """

    story: str
    field: str
    is_translated: bool


@dataclass(frozen=True, slots=True)
class IssueContent:
    """An issue's own words, the publication's, and its first stories.

    `stories` are those that may be shown, in their order: at most `in_full` of them in full, then at
    most HEADLINES as headlines. `total` counts all stories of the issue. Subject, preheader, introduction
    and sponsor are what the editor wrote, or empty. In a variant, `untranslated` are those of them that were written in
    the issue's own language alone, `unworded` the words of its stories that were, and `translations` the numbers of the
    stories that replace the issue's own.
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
    untranslated: tuple[str, ...] = ()
    unworded: tuple[Unworded, ...] = ()
    translations: tuple[int, ...] = ()
    # Whether it has the stories on chosen topics alone.
    is_chosen: bool = False
    # What it tells of stories that its readers got before.
    amendments: tuple[amendments.Line, ...] = ()


def load(
    *,
    issue: Issue,
    now: datetime,
    key: VariantKey = OWN,
    only: Collection[int] | None = None,
    amended: amendments.Keys = (),
) -> IssueContent:
    """Read the issue as it is now, not its snapshot: its own text, or its variant of this key.

    Dates and addresses are in its language, too. `only` are the ids of the articles that it shows; None: all.
    `amended` are the amendments of which it tells.

    The number of queries and rows is bounded, whatever the number of stories.
    """
    publication = Publication.objects.current()
    with languages.override(key.language or issue.newsletter.language, publication=publication):
        content = _load(issue, publication, now, key, only)
        return replace(content, amendments=amendments.lines(keys=amended)) if amended else content


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
            words=_words(issue, publication, now, ""),
            stories=(_story(IssueItem(article=article), whole=True),),
            in_full=1,
            total=1,
        )


def _load(
    issue: Issue, publication: Publication, now: datetime, key: VariantKey, only: Collection[int] | None
) -> IssueContent:
    language, is_short = key.language, bool(key.reading)
    everything = IssueItem.objects.filter(issue=issue).public()
    items = everything if only is None else everything.filter(article__in=only)
    # Two steps, so that PostgreSQL sorts ten thousand ids instead of ten thousand stories.
    first = list(items.values_list("pk", flat=True)[: issue.newsletter.stories_in_full + HEADLINES])
    whole = issue.kind == Issue.Kind.ARTICLE and not is_short
    shown = IssueItem.objects.filter(pk__in=first).with_stories("section", "lead_image", texts=whole)
    own = list(shown.prefetch_related("article__bylines__author"))
    chosen = {item.article_id for item in own}
    lacking = _lacking(own, language) if language else []
    texts = variants.translated(own, language=language, whole=whole) if language else own
    # What the editor wrote for the inbox is about the whole issue, above all about its first story.
    is_about = only is None or everything.values_list("pk", flat=True).first() in first
    return IssueContent(
        kind=issue.kind,
        subject=issue.local.subject if is_about else "",
        preheader=issue.local.preheader if is_about else "",
        introduction=issue.local.introduction,
        sponsor=issue.local.sponsor,
        words=_words(issue, publication, now, language),
        stories=tuple(_story(item, whole=whole) for item in texts),
        in_full=0 if is_short else issue.newsletter.stories_in_full,
        total=items.count(),
        counted_as=issue.pk if issue.newsletter.counts_clicks else None,
        untranslated=_untranslated(issue, language) if language else (),
        unworded=tuple(
            Unworded(story, field, is_translated=item.article_id not in chosen) for item, story, field in lacking
        ),
        translations=tuple(item.article_id for item in texts if item.article_id not in chosen),
        is_chosen=only is not None,
    )


def _untranslated(issue: Issue, language: str) -> tuple[str, ...]:
    words = issue.translations.get(language, {})
    return tuple(name for name in Issue.TRANSLATED if getattr(issue, name) and not words.get(name))


def _lacking(items: list[IssueItem], language: str) -> list[tuple[IssueItem, str, str]]:
    """Each headline or summary that was written for this issue and not in this language, with the story's headline."""
    return [
        (item, item.article.headline, name)
        for item in items
        for name in IssueItem.TRANSLATED
        if getattr(item, name) and not item.translations.get(language, {}).get(name)
    ]


def _story(item: IssueItem, *, whole: bool) -> Story:
    article = item.article
    return Story(
        language=article.language,
        is_stale=article.stale_since is not None,
        headline=item.headline or article.headline,
        headline_language=item.language_of("headline"),
        summary=item.summary or article.summary,
        summary_language=item.language_of("summary"),
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


def _words(issue: Issue, publication: Publication, now: datetime, language: str) -> dict[str, str]:
    """The words of masthead and footer, as plain text; `own_language` is that of what no variant translates."""
    own = issue.newsletter.language or publication.language
    local = (issue.scheduled_for or issue.window_end or now).astimezone(ZoneInfo(issue.newsletter.time_zone))
    return {
        "language": language or own,
        "own_language": own,
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
