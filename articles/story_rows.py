"""A story with everything that its page shows, in one statement.

Written out: Django would put ten statements together for the same, which takes it twenty times as long as the database
needs to answer them.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar

from django.db import connection, models

from articles import states
from articles.models import Article, Author, Byline, Correction, Image, ReaderLetter, Section, Tag
from core import prepared_statements
from publication.shared_parts import SharedParts

Row = TypeVar("Row", bound=models.Model)

# What no page of a story shows.
UNREAD: Final = {"body_markdown", "former_files"}


class Story(NamedTuple):
    """`texts`: the addresses of the public texts of its group and its own, by language, without what is before them."""

    article: Article
    texts: Mapping[str, str]


def _fields(model: type[models.Model]) -> list[Any]:
    return [field for field in model._meta.concrete_fields if field.name not in UNREAD]  # noqa: SLF001  # Django documents it as public


def _columns(model: type[models.Model], table: str) -> str:
    return ", ".join(f'{table}."{field.column}"' for field in _fields(model))


ARTICLE: Final = _fields(Article)
IMAGE: Final = _fields(Image)
ON_RECORD: Final = ", ".join(f"'{state}'" for state in states.ON_RECORD)
PUBLIC: Final = ", ".join(f"'{state}'" for state in states.PUBLIC)
STATEMENT: Final = f"""
SELECT {_columns(Article, "story")}, {_columns(Image, "picture")},
    ARRAY(SELECT author_id FROM "articles_byline" WHERE article_id = story.id ORDER BY position, id),
    ARRAY(SELECT tag_id FROM "articles_article_tags" JOIN "articles_tag" AS tag ON tag.id = tag_id
          WHERE article_id = story.id ORDER BY tag.name),
    (SELECT json_agg(json_build_array(id, text, corrected_at) ORDER BY corrected_at DESC)
     FROM "articles_correction" WHERE article_id = story.id),
    (SELECT json_agg(json_build_array(id, name, text) ORDER BY published_at, id)
     FROM "articles_readerletter" WHERE article_id = story.id),
    (SELECT json_object_agg(other.language, other.slug) FROM "articles_article" AS other
     WHERE (other.id = coalesce(story.translation_of_id, story.id)
            OR other.translation_of_id = coalesce(story.translation_of_id, story.id))
     AND (other.state IN ({PUBLIC}) OR other.id = story.id))
FROM "articles_article" AS story LEFT JOIN "articles_image" AS picture ON picture.id = story.lead_image_id
WHERE story.slug = %s AND story.state IN ({ON_RECORD})
"""  # noqa: S608  # names and states of ours


def on_record(*, slug: str, parts: SharedParts) -> Story | None:
    """The story at that address, if it is public or was withdrawn."""
    if (row := prepared_statements.first(STATEMENT, [slug])) is None:
        return None
    columns, (authors, tags, corrections, letters, texts) = row[:-5], row[-5:]
    article = _read(Article, ARTICLE, columns[: len(ARTICLE)])
    article.section = sections(parts)[article.section_id]
    if article.lead_image_id:
        article.lead_image = _read(Image, IMAGE, columns[len(ARTICLE) :])
    written = parts.each("author", authors, _authors)
    known = parts.each("tag", tags, _tags)
    _remember(article, "bylines", [Byline(article=article, author=written[pk]) for pk in authors])
    _remember(article, "tags", [known[pk] for pk in tags])
    _remember(article, "corrections", _corrections(article, corrections))
    _remember(article, "reader_letters", _letters(article, letters))
    return Story(article, texts)


def sections(parts: SharedParts) -> dict[int, Section]:
    """All sections by their numbers, in the order of the navigation."""
    return parts.part("sections", lambda: {section.pk: section for section in Section.objects.all()})


def _read(model: type[Row], fields: list[Any], values: Iterable[Any]) -> Row:
    """A row as Django makes it, without the columns that no page shows."""
    converted = [
        json.loads(value) if isinstance(field, models.JSONField) else value
        for field, value in zip(fields, values, strict=True)
    ]
    return model.from_db(connection.alias, [field.attname for field in fields], converted)


def _authors(numbers: list[int]) -> dict[int, tuple[Author, list[str]]]:
    authors = Author.objects.filter(pk__in=numbers).select_related("picture")
    return {author.pk: (author, author_tags(author)) for author in authors}


def author_tags(author: Author) -> list[str]:
    """What a part depends on that shows an author, and perhaps the face."""
    return [f"author:{author.pk}", *([f"image:{author.picture_id}"] if author.picture_id else [])]


def _tags(numbers: list[int]) -> dict[int, tuple[Tag, list[str]]]:
    return {tag.pk: (tag, [f"tag:{tag.pk}"]) for tag in Tag.objects.filter(pk__in=numbers)}


def _corrections(article: Article, stored: list[tuple[int, str, str]] | None) -> list[Correction]:
    return [
        Correction(pk=pk, article=article, text=text, corrected_at=datetime.fromisoformat(moment))
        for pk, text, moment in stored or []
    ]


def _letters(article: Article, stored: list[tuple[int, str, str]] | None) -> list[ReaderLetter]:
    return [ReaderLetter(pk=pk, article=article, name=name, text=text) for pk, name, text in stored or []]


def _remember(article: Article, name: str, rows: list[Any]) -> None:
    """Let the relation give these rows, as after `prefetch_related`."""
    article.__dict__.setdefault("_prefetched_objects_cache", {})[name] = rows
