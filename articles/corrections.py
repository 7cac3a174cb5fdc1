"""What the publication corrected and took back, for everybody to read: the notes of all stories in one list."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import F, QuerySet, Value

from articles.models import Article, Correction
from core import page_tags

# Raised by each change of a correction, and by stories that are withdrawn or come back.
TAG = "corrections"


class Row(NamedTuple):
    """A line of the list, as the database has it."""

    pk: int
    story: int
    at: datetime
    text: str
    is_withdrawal: bool


@dataclass(frozen=True, slots=True)
class Note:
    """A correction of a story that is public, or the reason for which one was withdrawn, which has no `article`.

    A story may have been withdrawn to protect somebody, so its headline and its address stay private.
    """

    pk: int
    at: datetime
    text: str
    article: Article | None


def rows(*, language: str) -> QuerySet[Any, Any]:
    """All notes on the pages of this language, the newest first; `notes` reads a page of them."""
    stories = Article.objects.in_language(language)
    corrected = Correction.objects.filter(article__in=stories.published()).order_by()
    withdrawn = stories.filter(state=Article.State.WITHDRAWN, withdrawn_at__isnull=False).exclude(withdrawal_reason="")
    of_corrections = corrected.values_list("pk", "article_id", "corrected_at", "text", Value(False))  # a column
    of_withdrawals = withdrawn.order_by().values_list(
        "pk", F("pk"), "withdrawn_at", "withdrawal_reason", Value(True)  # a column
    )  # fmt: skip
    return of_corrections.union(of_withdrawals, all=True).order_by("-corrected_at", "-pk")


def notes(page: Iterable[tuple[Any, ...]]) -> list[Note]:
    """Some rows with their stories, which the page that is made depends on."""
    page_tags.add(TAG)
    lines = [Row(*line) for line in page]
    return list(_with_stories(lines))


def _with_stories(lines: list[Row]) -> Iterator[Note]:
    stories = Article.objects.without_text().in_bulk({line.story for line in lines if not line.is_withdrawal})
    page_tags.add(*(f"article:{pk}" for pk in stories))
    for line in lines:
        article = None if line.is_withdrawal else stories.get(line.story)
        if article is not None or line.is_withdrawal:
            yield Note(line.pk, line.at, line.text, article)
