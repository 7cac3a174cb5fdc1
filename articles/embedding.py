"""The card of a story that another site shows in a frame."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from articles import seo
from articles.models import Article
from core import caching, page_tags
from publication import oembed


@oembed.framable
@caching.public
def story(request: HttpRequest, slug: str) -> HttpResponse:
    """The card as a page without a form, a masthead or anything of a reader."""
    article = Article.objects.published().for_cards().filter(slug=slug).first()
    if article is None:
        raise Http404("There is no such story.")
    page_tags.add(f"article:{article.pk}")
    response = render(request, "articles/embed.html", {"article": article})
    response["X-Robots-Tag"] = "noindex"
    return caching.changed_at(response, article.updated_at)


@oembed.describes("article")
def describe(slug: str) -> oembed.Card | None:
    """What oEmbed says of a story; None if readers do not see it."""
    article = Article.objects.published().for_cards().filter(slug=slug).first()
    if article is None:
        return None
    page_tags.add(f"article:{article.pk}")
    first = next(iter(article.bylines.all()), None)
    return oembed.Card(
        title=article.headline,
        frame=reverse("article_embed", args=[article.slug]),
        author=first.author.local.name if first else "",
        author_path=first.author.get_absolute_url() if first else "",
        picture=seo.thumbnail(article),
    )
