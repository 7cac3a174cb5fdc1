"""Metadata for search engines and link previews: canonical URL, Open Graph card, structured data."""

import json
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from articles.models import Article
from publication import times, urls
from publication.models import Publication

CARD_WIDTH = 1600
# As Django's json_script does it: nothing inside may end the element or begin another.
ESCAPES = {ord("<"): "\\u003C", ord(">"): "\\u003E", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


@dataclass(frozen=True, slots=True)
class Head:
    """What `templates/articles/_head.html` writes into a page's head; every address is absolute."""

    canonical: str
    title: str
    description: str
    kind: str = "website"
    image: str = ""
    image_alt: str = ""
    article: Article | None = None
    structured: SafeString | None = None
    noindex: bool = False


def page_head(*, path: str, title: str, description: str, number: int = 1, noindex: bool = False) -> Head:
    """The head of a list of stories; each page of the list has its own address."""
    canonical = urls.absolute(path) + (f"?page={number}" if number > 1 else "")
    return Head(canonical=canonical, title=title, description=description, noindex=noindex)


def story_head(*, article: Article, publication: Publication) -> Head:
    """The head of a story's page."""
    image = article.lead_image
    return Head(
        canonical=urls.absolute(article.get_absolute_url()),
        title=article.headline,
        description=article.summary,
        kind="article",
        image=urls.absolute(image.share_url) if image else "",
        image_alt=image.alt if image else "",
        article=article,
        structured=script(news_article(article=article, publication=publication)),
    )


def news_article(*, article: Article, publication: Publication) -> dict[str, Any]:
    """The story as schema.org's NewsArticle."""
    address = urls.absolute(article.get_absolute_url())
    organization: dict[str, Any] = {"@type": "Organization", "name": publication.name, "url": urls.absolute("/")}
    if publication.logo:
        organization["logo"] = {"@type": "ImageObject", "url": urls.absolute(publication.logo.url)}
    authors = [
        {"@type": "Person", "name": entry.author.name, "url": urls.absolute(entry.author.get_absolute_url())}
        for entry in article.bylines.all()
    ]
    data: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "mainEntityOfPage": address,
        "url": address,
        "headline": article.headline,
        "description": article.summary,
        "articleSection": article.section.name,
        "keywords": [tag.name for tag in article.tags.all()],
        "datePublished": times.machine_readable(article.published_at) or None,
        "dateModified": times.machine_readable(article.updated_at),
        "inLanguage": publication.language,
        "author": authors or organization,
        "publisher": organization,
    }
    if article.lead_image:
        data["image"] = [urls.absolute(article.lead_image.url_for(CARD_WIDTH))]
    return {name: value for name, value in data.items() if value}


def script(data: dict[str, Any]) -> SafeString:
    """JSON-LD as an element; no text in it can leave it."""
    text = json.dumps(data, ensure_ascii=False).translate(ESCAPES)
    return format_html(
        '<script type="application/ld+json">{}</script>',
        mark_safe(text),  # noqa: S308  # every character that HTML reads is escaped one line above
    )
