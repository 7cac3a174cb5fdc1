"""The newest stories for feed readers: of the whole site, and of each section, tag and author."""

from datetime import datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from articles import images, syndication
from articles.models import Article, ArticleQuerySet, Author, Section, Tag
from core import caching, page_tags
from publication import context, feed_formats, languages, urls
from publication.feed_formats import LENGTH, Channel, Entry, Kind, Writer


@caching.public
def site(request: HttpRequest, kind: Kind) -> HttpResponse:
    """The newest stories of all sections, with their whole text and pictures."""
    publication = context.of(request)
    description = publication.strapline or publication.name
    return _response(
        request, kind, Article.objects.published(), title=publication.name, path=reverse("front"), about=description
    )


@caching.public
def section(request: HttpRequest, slug: str, kind: Kind) -> HttpResponse:
    """The newest stories of a desk."""
    desk = get_object_or_404(Section, slug=slug)
    return _of(request, kind, desk, Article.objects.published().filter(section=desk), about=desk.local.description)


@caching.public
def tag(request: HttpRequest, slug: str, kind: Kind) -> HttpResponse:
    """The newest stories under a label."""
    label = get_object_or_404(Tag, slug=slug)
    return _of(request, kind, label, Article.objects.published().filter(tags=label))


@caching.public
def author(request: HttpRequest, slug: str, kind: Kind) -> HttpResponse:
    """The newest stories of somebody."""
    writer = get_object_or_404(Author, slug=slug)
    return _of(request, kind, writer, Article.objects.published().filter(authors=writer), about=writer.local.biography)


def _of(
    request: HttpRequest, kind: Kind, subject: Section | Tag | Author, stories: ArticleQuerySet, *, about: str = ""
) -> HttpResponse:
    title = f"{context.of(request).name}: {subject.local.name}"
    return _response(request, kind, stories, title=title, path=subject.get_absolute_url(), about=about)


def _response(
    request: HttpRequest, kind: Kind, stories: ArticleQuerySet, *, title: str, path: str, about: str
) -> HttpResponse:
    page_tags.add(page_tags.FEED)
    newest = (
        stories.in_language(languages.of_pages())
        .newest_first()
        .with_related()
        .defer("body_markdown", "body_text")[:LENGTH]
    )
    channel = Channel(
        title=title,
        path=path,
        description=about,
        entries=tuple(_entry(article) for article in newest),
        changed_at=_changed_at(),
    )
    return feed_formats.response(request, kind=kind, channel=channel, publication=context.of(request))


def _entry(article: Article) -> Entry:
    image = article.lead_image
    return Entry(
        identity=identity(article),
        url=urls.absolute(article.get_absolute_url()),
        title=article.headline,
        summary=article.summary,
        html=syndication.in_feed(article),
        writers=tuple(
            Writer(byline.author.local.name, urls.absolute(byline.author.get_absolute_url()))
            for byline in article.bylines.all()
        ),
        categories=(article.section.local.name, *(tag.local.name for tag in article.tags.all())),
        published_at=article.published_at,
        updated_at=article.updated_at,
        image=images.enclosure(image) if image else None,
        media={"title": image.caption, "description": image.alt, "credit": image.credit} if image else {},
    )


def identity(article: Article) -> str:
    """Stays the same when the address changes, so that no reader sees a story twice (RFC 4151)."""
    return f"tag:{settings.SITE_HOST},{article.created_at:%Y-%m-%d}:article/{article.pk}"


def _changed_at() -> datetime | None:
    """When a story that readers know was last touched, its withdrawal and its leaving a list included."""
    return Article.objects.on_record().order_by("-updated_at").values_list("updated_at", flat=True).first()
