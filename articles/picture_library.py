"""The library of pictures and its verbs: add, describe, replace, delete; where a picture is; search.

`actor` is the account that acts. On failure each verb raises a PublishingError or PictureRefused, and nothing
has changed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import IO, Any, Final

from django.contrib.auth.models import User
from django.contrib.postgres.search import SearchVector
from django.db import transaction
from django.db.models import BooleanField, Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext_lazy as _

from articles import images, permissions, publishing, search_query
from articles.models import Article, Author, Image
from articles.refusals import PublishingError
from staff import audit
from staff.audit_actions import AuditAction

ADD: Final = "articles.add_image"
CHANGE: Final = "articles.change_image"
DELETE: Final = "articles.delete_image"
PAGE: Final = 48
MOST_WORDS: Final = 8
# The function and its index are made by the migration 0009.
_IN_NO_TEXT: Final = (
    "NOT EXISTS (SELECT 1 FROM articles_article WHERE articles_pictures_in(body_markdown) @> ARRAY[articles_image.id])"
)


class Undescribed(PublishingError):
    """The picture has no alternative text."""


class InUse(PublishingError):
    """A story or a mail that was sent shows the picture."""


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a picture, and the point of it that is always seen."""

    alt: str
    caption: str = ""
    credit: str = ""
    x: float = 0.5
    y: float = 0.5


@dataclass(frozen=True, slots=True)
class Place:
    """One place where a picture is: `kind` in words, its name, and the address of its page in the admin."""

    kind: str
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Mails:
    """What the app of issues knows: where stories have gone to, and whether a frozen mail shows one of these files."""

    with_stories: Callable[[QuerySet[Article]], list[Place]]
    show_one_of: Callable[[list[str]], bool]


_mails: list[Mails] = []


def also_in(mails: Mails) -> None:
    """For an app above this one, when it starts."""
    _mails.append(mails)


def add(*, upload: IO[Any] | bytes, words: Words, actor: User | None) -> Image:
    """Take a picture in."""
    permissions.require(ADD, user=actor)
    image = Image(focal_x=words.x, focal_y=words.y)
    _say(image, words)
    return images.store(image=image, upload=upload, actor=actor)


def describe(*, image: Image, words: Words, actor: User | None, now: datetime) -> int:
    """Change what is said of a picture; return how many stories were rendered again."""
    permissions.require(CHANGE, user=actor)
    with transaction.atomic():
        row = Image.objects.select_for_update(no_key=True).get(pk=image.pk)
        _say(row, words)
        row.save(update_fields=["alt", "caption", "credit"])
        if (row.focal_x, row.focal_y) != (words.x, words.y):
            images.focus(image=row, x=words.x, y=words.y)
        rendered = publishing.render_again(stories=images.naming(row), now=now)
    image.refresh_from_db()
    return rendered


def replace(*, image: Image, upload: IO[Any] | bytes, actor: User | None, now: datetime) -> int:
    """Put another file in the place of a picture, under its number; return how many stories were rendered again.

    Stories show the new file from now on. Mails that were sent show the old one, which stays.
    """
    permissions.require(CHANGE, user=actor)
    with transaction.atomic():
        row = Image.objects.select_for_update(no_key=True).get(pk=image.pk)
        former = row.file.name
        images.store(image=row, upload=upload, actor=actor)
        rendered = publishing.render_again(stories=images.naming(row), now=now)
        audit.record(
            action=AuditAction.PICTURE_REPLACED, actor=actor, target=row, now=now, former=former, stories=rendered
        )
    image.refresh_from_db()
    return rendered


def delete(*, image: Image, actor: User | None) -> None:
    """Delete a picture that is nowhere, with its files."""
    permissions.require(DELETE, user=actor)
    with transaction.atomic():
        row = Image.objects.select_for_update().get(pk=image.pk)
        if is_used(row):
            raise InUse(_("This picture is in a story, beside an author or in a mail that was sent, so it stays."))
        row.delete()


def is_used(image: Image) -> bool:
    """Whether a story, an author or a mail that was frozen shows the picture."""
    files = list(images.files_of(image))
    stories_or_faces = images.in_use(image).exists() or Author.objects.filter(picture=image).exists()
    return stories_or_faces or any(mails.show_one_of(files) for mails in _mails)


def places(image: Image, *, most: int = 50) -> list[Place]:
    """Where the picture is: above stories, in their text, and in what was made of these stories."""
    above = Article.objects.filter(lead_image=image).order_by("-updated_at")[:most]
    inside = images.naming(image).order_by("-updated_at")[:most]
    stories = [
        Place(
            str(kind), f"{story.headline} ({story.get_state_display()})", f"/admin/articles/article/{story.pk}/change/"
        )
        for kind, rows in ((_("Above the story"), above), (_("In the text of"), inside))
        for story in rows
    ]
    faces = [
        Place(str(_("Face of")), author.name, f"/admin/articles/author/{author.pk}/change/")
        for author in Author.objects.filter(picture=image)[:most]
    ]
    return stories + faces + [place for mails in _mails for place in mails.with_stories(images.in_use(image))[:most]]


def search(
    *,
    words: str = "",
    uploader: int | None = None,
    since: date | None = None,
    until: date | None = None,
    unused: bool = False,
    before: int | None = None,
) -> list[Image]:
    """The newest pictures that fit, at most PAGE and one more; `before` is the last picture of the page before.

    Words may be beginnings of words, or the number of a picture.
    """
    rows = Image.objects.select_related("uploaded_by").order_by("-created_at", "-pk")
    if words.strip():
        rows = _with_words(rows, words)
    if uploader:
        rows = rows.filter(uploaded_by=uploader)
    if since:
        rows = rows.filter(created_at__date__gte=since)
    if until:
        rows = rows.filter(created_at__date__lte=until)
    if unused:
        rows = rows.filter(
            ~Exists(Article.objects.filter(lead_image=OuterRef("pk"))),
            ~Exists(Author.objects.filter(picture=OuterRef("pk"))),
            RawSQL(_IN_NO_TEXT, [], output_field=BooleanField()),  # noqa: S611  # a constant, without parameters
        )
    if before and (last := Image.objects.filter(pk=before).first()):
        rows = rows.filter(
            Q(created_at__lt=last.created_at) | Q(created_at=last.created_at, pk__lt=last.pk),
            created_at__lte=last.created_at,
        )
    return list(rows[: PAGE + 1])


def _with_words(rows: QuerySet[Image], typed: str) -> QuerySet[Image]:
    query = search_query.beginnings(typed=typed, config="simple", most=MOST_WORDS)
    if query is None:
        return rows.none()
    described = rows.annotate(words=SearchVector("alt", "caption", "credit", config="simple"))
    number = typed.strip().removeprefix("#")
    if number.isascii() and number.isdigit() and len(number) < 12:
        return described.filter(Q(words=query) | Q(pk=int(number)))
    return described.filter(words=query)


def _say(image: Image, words: Words) -> None:
    if not (alt := words.alt.strip()):
        raise Undescribed(_("Say what the picture shows, for readers who cannot see it."))
    image.alt, image.caption, image.credit = alt, words.caption.strip(), words.credit.strip()
    image.full_clean(exclude=["file", "width", "height", "renditions"])
