"""What the page of a story has of its own, for the slots of its frame (`templates/articles/article.html`).

What it has in common with the pages of other stories, as its authors, tags and the cards below it, comes from the
process where it has it.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString

from articles import reading, seo, sharing, teasers
from articles.models import Article, Author, Tag
from articles.teasers import Teaser
from publication import frames, times
from publication.models import Publication
from publication.shared_parts import SharedParts

SIZES: Final = "(min-width: 70rem) 66rem, 100vw"
CARD_SIZES: Final = "(min-width: 40rem) 20rem, 100vw"
FACE: Final = 44


def slots(
    story: Article, *, text: SafeString, more: Iterable[Teaser], publication: Publication, parts: SharedParts
) -> dict[str, str]:
    """The words of each slot but those that depend on the request."""
    corrections = list(story.corrections.all())
    head = seo.story_head(article=story, publication=publication, corrections=corrections)
    shown = teasers.of(story, publication=publication)
    authors = [entry.author for entry in story.bylines.all()]
    updated_at = reading.updated_at(story)
    content = frames.written(
        "articles/story.html",
        article=story,
        publication=publication,
        story=shown,
        faces=_faces(authors, parts),
        writers=_writers(authors, publication, parts),
        tags=_tags(story.tags.all(), publication, parts),
        text=text,
        minutes=reading.minutes(story.body_text),
        updated=times.machine_readable(updated_at),
        updated_day=_day(updated_at, publication),
        corrections=[
            (times.machine_readable(each.corrected_at), _day(each.corrected_at, publication), each.text)
            for each in corrections
        ],
        share=sharing.links(story),
        more=[teasers.card(each, level=3, sizes=CARD_SIZES, publication=publication, parts=parts) for each in more],
    )
    return {
        "title": escape(head.title),
        "description": escape(head.description or publication.strapline),
        "first_picture": frames.written("articles/_preload.html", image=shown.picture, sizes=SIZES),
        "head": frames.written("_head.html", head=head, publication=publication, share_picture=head.image),
        "content": content,
    }


def scripts(*names: str) -> str:
    """The elements that load these scripts of ours."""
    return "".join(f'<script src="{escape(static(f"articles/{name}.js"))}" defer></script>' for name in names)


def _faces(authors: list[Author], parts: SharedParts) -> list[SafeString]:
    return [
        parts.words(
            ("face", author.pk),
            partial(frames.written, "articles/_face.html", image=author.picture, size=FACE),
            tags=_tags_of(author),
        )
        for author in authors
        if author.picture
    ]


def _writers(authors: list[Author], publication: Publication, parts: SharedParts) -> list[SafeString]:
    return [
        parts.words(
            ("writer", author.pk),
            partial(frames.written, "articles/_writer.html", author=author, publication=publication),
            tags=_tags_of(author),
        )
        for author in authors
        if author.local.biography
    ]


def _tags(tags: Iterable[Tag], publication: Publication, parts: SharedParts) -> list[SafeString]:
    return [
        parts.words(
            ("label", tag.pk),
            partial(frames.written, "articles/_tag.html", tag=tag, publication=publication),
            tags=[f"tag:{tag.pk}"],
        )
        for tag in tags
    ]


def _tags_of(author: Author) -> list[str]:
    return [f"author:{author.pk}", f"image:{author.picture_id}"]


def _day(moment: datetime | None, publication: Publication) -> str:
    return times.day(timezone.localtime(moment, ZoneInfo(publication.time_zone))) if moment else ""
