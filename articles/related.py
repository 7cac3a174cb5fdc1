"""The stories to read after one: those with the same tags, then those of the same section."""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef

from articles.models import Article, Tag
from publication.shared_parts import SharedParts

# Of each tag, the newest stories are looked at, beside the one that is read.
CANDIDATES: Final = 24

Place = tuple[datetime, int]


def stories(story: int, *, section: int, tags: Collection[int], number: int, parts: SharedParts) -> list[int]:
    """Numbers of at most `number` public stories, those with the most tags in common first, then the newest.

    The lists of tags and sections come from the process where it has them, else from a statement each.
    """
    lists = parts.each("tag's newest", tags, _of_tags) if tags else {}
    counted = Counter(place for newest in lists.values() for place in newest)
    ranked = sorted(counted, key=lambda place: (counted[place], place), reverse=True)
    same_desk = parts.words(
        ("section's newest", section), lambda: _of_section(section, number + 1), tags=[f"section:{section}"]
    )
    chosen = dict.fromkeys(pk for pk in (*(pk for _moment, pk in ranked), *same_desk) if pk != story)
    return list(chosen)[:number]


def _of_tags(tags: Collection[int]) -> dict[int, tuple[list[Place], list[str]]]:
    newest = Article.objects.listed().filter(tags=OuterRef("pk")).newest_first()
    columns = {name: ArraySubquery(newest.values(name)[: CANDIDATES + 1]) for name in ("published_at", "pk")}
    rows = Tag.objects.filter(pk__in=tags).values_list("pk", columns["published_at"], columns["pk"])
    return {tag: (list(zip(moments, numbers, strict=True)), [f"tag:{tag}:stories"]) for tag, moments, numbers in rows}


def _of_section(section: int, number: int) -> list[int]:
    newest = Article.objects.listed().filter(section=section).newest_first()
    return list(newest.values_list("pk", flat=True)[:number])
