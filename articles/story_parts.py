"""What the page of a story has of its own, for the slots of its frame (`templates/articles/article.html`).

What it has in common with the pages of other stories, as its authors, tags and the cards below it, comes from the
process where it has it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString

from articles import cards, markup, reading, related, seo, sharing, story_rows, teasers
from articles.models import Article, Author, Tag
from publication import frames, language_switch, languages, times
from publication.models import Publication
from publication.shared_parts import SharedParts

SIZES: Final = "(min-width: 70rem) 66rem, 100vw"
CARD_SIZES: Final = "(min-width: 40rem) 20rem, 100vw"
FACE: Final = 44
RELATED: Final = 4


@dataclass(frozen=True, slots=True)
class StoryPage:
    """A story's own words, by the slots of the frame, and what the rest of its page is made from.

    `origins`: what its embeds load from.
    """

    pk: int
    section: int
    tags: tuple[int, ...]
    language: str
    changed_at: datetime | None
    origins: list[str]
    slots: Mapping[str, str]

    @property
    def size(self) -> int:
        """How many characters it takes."""
        return sum(map(len, self.slots.values()))


def page(
    story: Article,
    *,
    addresses: Mapping[str, str],
    publication: Publication,
    parts: SharedParts,
    request: HttpRequest,
) -> StoryPage:
    """The story in whatever state it is, in the language that is written at this moment.

    `addresses`: its own path and those of its public translations.
    """
    text = markup.shown(story, request=request)
    # A card or a translation is another story, which may have changed since, and letters come and go without a change
    # of the story: such a page has no date of its own.
    letters = story.reader_letters.all()
    shows_others = bool(letters) or cards.shows_stories(story.body_html) or languages.further()
    return StoryPage(
        pk=story.pk,
        section=story.section_id,
        tags=tuple(tag.pk for tag in story.tags.all()),
        language=story.language,
        changed_at=None if shows_others else story.updated_at,
        origins=cards.frame_origins(text),
        slots=_slots(story, text, publication, parts) | language_switch.slots(addresses, publication=publication),
    )


def more(page: StoryPage, *, publication: Publication, parts: SharedParts) -> str:
    """The cards of the stories to read next."""
    numbers = related.stories(page.pk, section=page.section, tags=page.tags, number=RELATED, parts=parts)
    known = teasers.public(numbers, publication=publication, parts=parts)
    written = [
        teasers.card(known[number], level=3, sizes=CARD_SIZES, publication=publication, parts=parts)
        for number in numbers
        if number in known
    ]
    before, behind = frames.around("articles/_more.html", parts=parts)
    return f"{before}{''.join(written)}{behind}" if written else ""


def scripts(*names: str) -> str:
    """The elements that load these scripts of ours."""
    return "".join(f'<script src="{escape(static(f"articles/{name}.js"))}" defer></script>' for name in names)


def _slots(story: Article, text: SafeString, publication: Publication, parts: SharedParts) -> dict[str, str]:
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
        letters=[(letter.name, letter.text) for letter in story.reader_letters.all()],
        share=sharing.links(story),
    )
    return {
        "title": escape(head.title),
        "description": escape(head.description or publication.strapline),
        "first_picture": frames.written("articles/_preload.html", image=shown.picture, sizes=SIZES),
        "head": frames.written("_head.html", head=head, publication=publication, share_picture=head.image),
        "content": content,
    }


def _faces(authors: list[Author], parts: SharedParts) -> list[SafeString]:
    return [
        parts.words(
            ("face", author.pk),
            partial(frames.written, "articles/_face.html", image=author.picture, size=FACE),
            tags=story_rows.author_tags(author),
        )
        for author in authors
        if author.picture
    ]


def _writers(authors: list[Author], publication: Publication, parts: SharedParts) -> list[SafeString]:
    return [
        parts.words(
            ("writer", author.pk),
            partial(frames.written, "articles/_writer.html", author=author, publication=publication),
            tags=story_rows.author_tags(author),
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


def _day(moment: datetime | None, publication: Publication) -> str:
    return times.day(timezone.localtime(moment, ZoneInfo(publication.time_zone))) if moment else ""
