"""A story as somebody has it on the screen, before it is saved: for previews and the checklist.

It is read from the form's own fields, whatever of them can be read already; nothing is written.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from django import forms
from django.db import models
from django.utils.datastructures import MultiValueDict

from articles import markup
from articles.models import Article, Author, Byline, Image, Section, Tag

Row = TypeVar("Row", bound=models.Model)

NO_NUMBER = 0  # of a story without a row: related rows can be asked for, and there are none
PREFIX = "bylines"


def story(*, data: MultiValueDict[str, str], saved: Article | None, now: datetime) -> Article:
    """The story of these form fields; what they do not have is as in `saved`. Never save it.

    On failure: MarkupRefused, with a sentence for the author.
    """
    article = saved or Article(pk=NO_NUMBER, updated_at=now)
    article.headline = data.get("headline") or article.headline
    article.standfirst = data.get("standfirst") or ""
    article.slug = article.slug or "preview"
    sections = _rows(Section, [data.get("section")])
    article.section = sections[0] if sections else _section(saved)
    pictures = _rows(Image, [data.get("lead_image")])
    article.lead_image = pictures[0] if pictures else None
    article.published_at = _moment(data) or now
    article.body_markdown = data.get("body_markdown") or ""
    rendered = markup.render(article.body_markdown)
    article.body_html, article.body_sha256 = rendered.html, rendered.sha256
    writers = authors(data=data)
    bylines = [Byline(article=article, author=author, position=place) for place, author in enumerate(writers)]
    _remember(article, "bylines", Byline.objects.none(), bylines)
    _remember(article, "tags", Tag.objects.none(), _rows(Tag, data.getlist("tags")))
    return article


def authors(*, data: Mapping[str, Any]) -> list[Author]:
    """The authors that the form has, in their order."""
    return _rows(Author, _authors(data))


def _rows(model: type[Row], keys: Iterable[str | None]) -> list[Row]:
    """The rows of these keys, in their order; what is no key of a row is left out."""
    numbers = [int(key) for key in keys if key and key.isdecimal() and len(key) < 18]
    rows = model._default_manager.in_bulk(numbers) if numbers else {}  # noqa: SLF001  # Django documents it as public
    return [rows[number] for number in dict.fromkeys(numbers) if number in rows]


def _section(saved: Article | None) -> Section:
    if saved is not None:
        return saved.section
    return Section.objects.first() or Section(name="", slug="preview")


def _moment(data: Mapping[str, Any]) -> datetime | None:
    """The date that readers would see."""
    try:
        return forms.SplitDateTimeField(required=False).clean(  # type: ignore[no-any-return]  # the stubs leave it open
            [data.get("published_at_0"), data.get("published_at_1")]
        )
    except forms.ValidationError:
        return None


def _authors(data: Mapping[str, Any]) -> list[str]:
    """The authors' keys, in the order of their places."""
    count = str(data.get(f"{PREFIX}-TOTAL_FORMS", ""))
    rows = [f"{PREFIX}-{number}-" for number in range(min(int(count), 100) if count.isdecimal() else 0)]
    wanted = [row for row in rows if not data.get(f"{row}DELETE")]
    return [data.get(f"{row}author", "") for row in sorted(wanted, key=lambda row: _place(data, row))]


def _place(data: Mapping[str, Any], row: str) -> int:
    place = str(data.get(f"{row}position", ""))
    return int(place) if place.isdecimal() and len(place) < 6 else 0


def _remember(article: Article, name: str, queryset: models.QuerySet[Row], rows: list[Row]) -> None:
    """Let the relation give these rows, as `prefetch_related` does, without asking the database."""
    queryset._result_cache = rows  # noqa: SLF001  # as prefetching itself does
    cache = article.__dict__.setdefault("_prefetched_objects_cache", {})
    cache[name] = queryset
