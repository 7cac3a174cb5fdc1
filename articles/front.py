"""The front page: what an editor has put there, and what the clock adds.

Nobody has to arrange it. Places that are empty, and those of stories that are no longer public, go to the newest
stories; without rows of an editor, every section has one that has enough to show.
"""

from dataclasses import dataclass
from typing import Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef
from django.db.models.functions import Coalesce
from django.urls import reverse

from articles import teasers
from articles.models import Article, FrontPage, FrontStory, Section
from articles.paging import PAGE_SIZE
from articles.teasers import Teaser
from publication.models import Publication
from publication.shared_parts import SharedParts

# Second tier: what an editor may fill, and what the clock does.
SECOND_MOST, SECOND = 4, 2
ROW_LEAST, ROW = 2, 4
# As many as a page of all stories has, so that the next page continues where this one ends.
NEWEST: Final = PAGE_SIZE


@dataclass(frozen=True, slots=True)
class Row:
    """A section and its newest stories."""

    name: str
    url: str
    stories: list[Teaser]


@dataclass(frozen=True, slots=True)
class Front:
    """The page from above to below; `newsletter` is the slug of the one that is offered, or empty."""

    lead: Teaser | None
    second: list[Teaser]
    rows: list[Row]
    latest: list[Teaser]
    newsletter: str
    has_older: bool

    @property
    def all(self) -> list[Teaser]:
        """What leads, the second tier and the newest, in this order."""
        return [*([self.lead] if self.lead else []), *self.second, *self.latest]


def compose(*, publication: Publication, parts: SharedParts) -> Front:
    """The front page of this language now. No story is above twice; of the newest NEWEST none is missing."""
    chosen = _chosen()
    newest = list(Article.objects.listed().newest_first().values_list("pk", flat=True)[: NEWEST + 1])
    has_older, newest = len(newest) > NEWEST, newest[:NEWEST]
    above = _above(chosen, newest)
    below = [(name, slug, [pk for pk in candidates if pk not in above][:ROW]) for name, slug, candidates in _sections()]
    below = [row for row in below if len(row[2]) >= ROW_LEAST]
    numbers = {*above, *newest, *(pk for _name, _slug, stories in below for pk in stories)}
    shown = teasers.public(numbers, publication=publication, parts=parts)
    top = [shown[pk] for pk in above if pk in shown]
    return Front(
        lead=top[0] if top else None,
        second=top[1:],
        rows=[
            Row(name, reverse("section", args=[slug]), [shown[pk] for pk in stories if pk in shown])
            for name, slug, stories in below
        ],
        latest=[shown[pk] for pk in newest if pk not in above and pk in shown],
        newsletter=FrontPage.objects.values_list("newsletter", flat=True).first() or "",
        has_older=has_older,
    )


def _above(chosen: list[int], newest: list[int]) -> list[int]:
    """The lead and the second tier: first those of an editor, then the newest, until the usual number is there."""
    rest = [pk for pk in newest if pk not in chosen]
    return [*chosen, *rest[: max(0, 1 + SECOND - len(chosen))]]


def _chosen() -> list[int]:
    """The stories of an editor that are public, in their order; of a translated one, the text of these pages."""
    originals = list(FrontStory.objects.values_list(Coalesce("article__translation_of", "article"), flat=True))
    texts = Article.objects.listed().annotate(original=Coalesce("translation_of", "pk")).filter(original__in=originals)
    by_original = dict(texts.values_list("original", "pk")) if originals else {}
    return [by_original[number] for number in originals if number in by_original]


def _sections() -> list[tuple[str, str, list[int]]]:
    """Name, slug and newest stories of the sections that have a row, in the order of the rows."""
    stories = Article.objects.listed().filter(section=OuterRef("pk")).newest_first()
    newest = ArraySubquery(stories.values("pk")[: ROW + 1 + SECOND_MOST])
    sections = Section.objects.annotate(newest=newest)
    arranged = list(sections.filter(front_row__isnull=False).order_by("front_row__position")) or list(sections)
    return [(section.local.name, section.slug, section.newest) for section in arranged]
