"""What the pages of stories tell search engines and link previews, beside what `publication.heads` says of any page."""

from collections.abc import Iterable
from typing import Any

from django.core.files.storage import default_storage
from django.core.paginator import Page

from articles import share_cards
from articles.models import Article, Author, Correction, Section, Tag
from articles.teasers import Teaser
from publication import heads, oembed, structured, times, urls
from publication.heads import Head, SharePicture
from publication.models import Publication

THUMBNAIL_WIDTH = 480


def front_head(*, publication: Publication, path: str, stories: Iterable[Teaser], number: int = 1) -> Head:
    """The head of the front page, or of a page of older stories."""
    return heads.home(publication=publication, path=path, number=number, listed=_listed(stories))


def list_head(
    *, publication: Publication, subject: Section | Tag | Author, path: str, description: str, page: Page[Teaser]
) -> Head:
    """The head of a section's, a tag's or an author's stories."""
    is_author = isinstance(subject, Author)
    return heads.page(
        publication=publication,
        path=path,
        title=subject.local.name,
        description=description,
        number=page.number,
        kind="ProfilePage" if is_author else "CollectionPage",
        about=person(subject) if isinstance(subject, Author) else None,
        listed=None if is_author else _listed(page),
        feeds=heads.FeedLink(f"{publication.name}: {subject.local.name}", path),
    )


def search_head(*, publication: Publication, path: str, title: str) -> Head:
    """The head of what a search found, which no search engine should find."""
    return heads.page(
        publication=publication, path=path, title=title, description="", kind="SearchResultsPage", noindex=True
    )


def story_head(*, article: Article, publication: Publication, corrections: Iterable[Correction] = ()) -> Head:
    """The head of a story's page."""
    path = article.get_absolute_url()
    canonical = urls.absolute(path)
    above = heads.Step(article.section.local.name, article.section.get_absolute_url())
    story = news_article(article=article, publication=publication, corrections=corrections)
    trail = structured.breadcrumbs([above, (article.headline, path)], publication=publication)
    head = Head(
        canonical=canonical,
        title=article.headline,
        description=article.summary,
        kind="article",
        image=share_cards.share_picture(article, publication),
        properties=tuple(_properties(article)),
        structured=structured.script([story, trail]),
    )
    return oembed.offered(head)


def news_article(
    *, article: Article, publication: Publication, corrections: Iterable[Correction] = ()
) -> dict[str, Any]:
    """The story as schema.org's NewsArticle."""
    address = urls.absolute(article.get_absolute_url())
    publisher = structured.organization(publication)
    return structured.stated({
        "@type": "NewsArticle",
        "@id": f"{address}#story",
        "mainEntityOfPage": address,
        "url": address,
        "headline": article.headline,
        "description": article.summary,
        "articleSection": article.section.local.name,
        "keywords": [tag.local.name for tag in article.tags.all()],
        "datePublished": times.machine_readable(article.published_at),
        "dateModified": times.machine_readable(article.updated_at),
        "inLanguage": article.language,
        "isAccessibleForFree": True,
        "author": [person(entry.author) for entry in article.bylines.all()] or publisher,
        "publisher": publisher,
        "image": _pictures(article),
        "correction": [
            {
                "@type": "CorrectionComment",
                "text": correction.text,
                "datePublished": times.machine_readable(correction.corrected_at),
            }
            for correction in corrections
        ],
    })  # fmt: skip


def person(author: Author) -> dict[str, Any]:
    """An author, with the page that says more."""
    return structured.stated({
        "@type": "Person",
        "name": author.local.name,
        "url": urls.absolute(author.get_absolute_url()),
        "jobTitle": author.local.role,
        "description": author.local.biography,
    })  # fmt: skip


def thumbnail(article: Article) -> SharePicture | None:
    """A small picture of a story, for the sites that show its card."""
    image = article.lead_image
    if image is None or not image.width:
        return None
    name, width = image.file_for(THUMBNAIL_WIDTH)
    address = urls.absolute(default_storage.url(name))
    return SharePicture(address, image.alt, width, round(image.height * width / image.width))


def _listed(stories: Iterable[Teaser]) -> list[tuple[str, str]]:
    return [(story.headline, story.url) for story in stories]


def _pictures(article: Article) -> list[str]:
    return [urls.absolute(address) for address in article.lead_image.ratio_urls] if article.lead_image else []


def _properties(article: Article) -> Iterable[tuple[str, str]]:
    if article.published_at:
        yield "article:published_time", times.machine_readable(article.published_at)
    yield "article:modified_time", times.machine_readable(article.updated_at)
    yield "article:section", article.section.local.name
    for tag in article.tags.all():
        yield "article:tag", tag.local.name
    for entry in article.bylines.all():
        yield "article:author", urls.absolute(entry.author.get_absolute_url())
