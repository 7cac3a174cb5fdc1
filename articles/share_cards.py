"""The card of a story in link previews: its headline in the face of the pages, over its picture if it has one.

A worker draws it when the story is published or its headline changes; the address of the card tells what is on it.
"""

import contextlib
from datetime import datetime, timedelta
from typing import Final

from django.core.files.storage import default_storage

from articles.models import Article
from core import drawings
from publication import brand
from publication.heads import SharePicture
from publication.models import Publication

FOLDER: Final = "share"
# Looked at by each minute's tick.
RECENT: Final = timedelta(minutes=10)


def digest(article: Article, publication: Publication) -> str:
    """Another one for another headline, picture, name or look."""
    return brand.digest(publication, article.headline, _photograph(article))


def path(article: Article, publication: Publication) -> str:
    """Where the card is. In no language: one serves all."""
    return f"/{FOLDER}/{article.pk}/{digest(article, publication)}.jpg"


def share_picture(article: Article, publication: Publication) -> SharePicture:
    """The card for the head of the story's page."""
    return brand.card_at(path(article, publication), alt=article.headline)


def instead(article: Article, publication: Publication) -> str:
    """What is shown until the card is drawn: the picture of the story, or the card of the publication."""
    return article.lead_image.share_url if article.lead_image else brand.path(publication, brand.SHARE)


def undrawn(*, now: datetime, most: int) -> list[int]:
    """Numbers of stories that were published or changed a moment ago and have no card of today yet."""
    publication = Publication.objects.current()
    recent = Article.objects.published().filter(updated_at__gt=now - RECENT).order_by("-updated_at")
    stories = recent.select_related("lead_image").only("headline", "lead_image")[:most]
    return [story.pk for story in stories if not default_storage.exists(path(story, publication)[1:])]


def draw(*, pk: int) -> None:
    """Draw the card of a public story and remove its former ones. May run any number of times."""
    article = Article.objects.published().select_related("lead_image").filter(pk=pk).first()
    if article is None:
        return
    publication = Publication.objects.current()
    name = path(article, publication)[1:]
    photograph = brand.read(_photograph(article)) if article.lead_image else b""
    look = brand.look(publication)
    brand.stored(name, lambda: drawings.card(look=look, headline=article.headline, photograph=photograph))
    folder, _, current = name.rpartition("/")
    with contextlib.suppress(OSError):
        for former in set(default_storage.listdir(folder)[1]) - {current}:
            default_storage.delete(f"{folder}/{former}")


def _photograph(article: Article) -> str:
    """The stored part of its picture that has the shape of a card; empty if there is none."""
    return str(next(iter(article.lead_image.renditions.get("share", {}).values()), "")) if article.lead_image else ""
