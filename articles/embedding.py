"""The card of a story that another site shows in a frame."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from articles import seo, teasers
from articles.models import Article
from core import caching, page_tags
from publication import context, oembed


@oembed.framable
@caching.public
def story(request: HttpRequest, slug: str) -> HttpResponse:
    """The card as a page without a form, a masthead or anything of a reader."""
    article = _public(slug)
    if article is None:
        raise Http404("There is no such story.")
    card = teasers.of(article, publication=context.of(request))
    response = render(request, "articles/embed.html", {"card": card})
    response["X-Robots-Tag"] = "noindex"
    return caching.changed_at(response, article.updated_at)


@oembed.describes("article")
def describe(slug: str) -> oembed.Card | None:
    """What oEmbed says of a story; None if readers do not see it."""
    article = _public(slug)
    if article is None:
        return None
    first = next(iter(article.bylines.all()), None)
    return oembed.Card(
        title=article.headline,
        frame=reverse("article_embed", args=[article.slug]),
        author=first.author.local.name if first else "",
        author_path=first.author.get_absolute_url() if first else "",
        picture=seo.thumbnail(article),
    )


def _public(slug: str) -> Article | None:
    article = Article.objects.published().for_cards().filter(slug=slug).first()
    if article is not None:
        page_tags.add(f"article:{article.pk}")
    return article
