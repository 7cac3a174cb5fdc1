"""A story's revisions: their content, how they are stored, and how one is restored.

The address and the dates are stored for the record, and stay as they are when a
version is restored: no link breaks, and no reader sees the story jump in time.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, TypeVar

from django.contrib.auth.models import User
from django.db import models
from django.db.models import Max

from articles.models import Article, Author, Byline, Image, Revision, Section, Tag

Row = TypeVar("Row", bound=models.Model)

NOTE_LENGTH = 200  # as the column
PLAIN_FIELDS = ("headline", "standfirst", "body_markdown")


class Named(TypedDict):
    """A row that the story pointed to, with its name in case it is deleted one day."""

    id: int
    name: str


class Snapshot(TypedDict):
    """Everything about a story that an editor can set."""

    headline: str
    slug: str
    standfirst: str
    body_markdown: str
    section: Named
    lead_image: Named | None
    tags: list[Named]
    authors: list[Named]
    publish_at: str | None
    published_at: str | None


def take(article: Article) -> Snapshot:
    """The snapshot of the story's current rows."""
    image = article.lead_image
    return Snapshot(
        headline=article.headline,
        slug=article.slug,
        standfirst=article.standfirst,
        body_markdown=article.body_markdown,
        section=named(article.section),
        lead_image=named(image) if image else None,
        tags=[named(tag) for tag in article.tags.all()],
        authors=[named(entry.author) for entry in article.bylines.select_related("author")],
        publish_at=_iso(article.publish_at),
        published_at=_iso(article.published_at),
    )


def named(row: models.Model) -> Named:
    """The row as snapshots have it."""
    return Named(id=row.pk, name=str(row))


def record(*, article: Article, actor: User | None, note: str, now: datetime) -> Revision:
    """Store the story as the next revision. Call it with the article's row locked, which makes the number unique."""
    last = article.revisions.aggregate(last=Max("number"))["last"] or 0
    return Revision.objects.create(
        article=article,
        number=last + 1,
        snapshot=take(article),
        note=note[:NOTE_LENGTH],
        created_by=actor,
        created_at=now,
    )


def changed_fields(*, before: Revision | None, after: Revision) -> list[str]:
    """The fields in which two versions of a story differ; none where there is no version before."""
    if before is None:
        return []
    return [name for name, value in after.snapshot.items() if before.snapshot.get(name) != value]


def changed_words(*, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Those of headline, standfirst and text that differ; the ends of lines do not count."""
    return [name for name in PLAIN_FIELDS if _lines(before[name]) != _lines(after[name])]


def put_back(*, article: Article, snapshot: Snapshot) -> list[str]:
    """Set the story's fields to the snapshot and save them; return the names of what no longer exists."""
    missing: list[str] = []
    for field in PLAIN_FIELDS:
        setattr(article, field, snapshot[field])  # type: ignore[literal-required]  # PLAIN_FIELDS are keys of it
    section = _still(Section.objects.all(), [snapshot["section"]], missing)
    article.section = section[0] if section else article.section
    pictures = _still(Image.objects.all(), [snapshot["lead_image"]] if snapshot["lead_image"] else [], missing)
    article.lead_image = pictures[0] if pictures else None
    article.save(update_fields=[*PLAIN_FIELDS, "section", "lead_image", "updated_at"])
    article.tags.set(_still(Tag.objects.all(), snapshot["tags"], missing))
    article.bylines.all().delete()
    authors = _still(Author.objects.all(), snapshot["authors"], missing)
    Byline.objects.bulk_create(
        Byline(article=article, author=author, position=place) for place, author in enumerate(authors)
    )
    return missing


def _still(queryset: models.QuerySet[Row], wanted: Sequence[Named], missing: list[str]) -> list[Row]:
    existing = {row.pk: row for row in queryset.filter(pk__in=[entry["id"] for entry in wanted])}
    missing.extend(entry["name"] for entry in wanted if entry["id"] not in existing)
    return [existing[entry["id"]] for entry in wanted if entry["id"] in existing]


def _lines(text: str) -> list[str]:
    return text.strip().splitlines()


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
