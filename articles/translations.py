"""Translations of stories: which there are, which are missing or stale, and how one is begun.

A story and its translations are a group. When the words of the original change, or a correction is added to it, its
translations are stale until an editor says of each that it is up to date again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Max, Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from articles import permissions, revisions, slugs
from articles.models import Article, ArticleQuerySet, Byline, Revision
from articles.refusals import NotReady, WrongState
from core import page_tags
from publication import language_switch, languages
from publication.models import Publication
from staff import audit
from staff.audit_actions import AuditAction


@dataclass(frozen=True, slots=True)
class Place:
    """One language of a story's group, and the text that is there; None where it is missing."""

    language: str
    name: str
    story: Article | None
    is_original: bool
    is_this: bool


def group(story: Article) -> ArticleQuerySet:
    """The texts of the story's group, itself included."""
    original = original_of(story)
    return Article.objects.filter(Q(pk=original) | Q(translation_of=original))


def original_of(story: Article) -> int:
    """The number of the original of the story's group."""
    return story.translation_of_id or story.pk


def places(story: Article, *, publication: Publication) -> list[Place]:
    """Every language of the publication, and whatever else there is a text in; the original first."""
    texts = {text.language: text for text in group(story).without_text()}
    original = original_of(story)
    known = list(dict.fromkeys([*publication.languages, *texts]))
    known_places = [
        Place(
            language=language,
            name=languages.name_of(language),
            story=texts.get(language),
            is_original=language in texts and texts[language].pk == original,
            is_this=language in texts and texts[language].pk == story.pk,
        )
        for language in known
    ]
    return sorted(known_places, key=lambda place: not place.is_original)


def paths(story: Article, texts: Mapping[str, str]) -> dict[str, str]:
    """The paths of the public texts of its group, whose language and slug `story_rows` has read."""
    page_tags.add(f"translations:{original_of(story)}")
    return {
        language: languages.path_in(language, "article", args=[slug])
        for language, slug in texts.items()
        if languages.has_pages(language)
    }


def offer_lists(request: HttpRequest, stories: ArticleQuerySet, *, publication: Publication) -> None:
    """Let the page of a list lead to the same list in the languages in which it has stories."""
    if not languages.further():
        return
    spoken = set(stories.order_by().values_list("language", flat=True).distinct())
    first, own = publication.language, languages.of_pages()
    shown = {language if language in publication.languages else first for language in spoken} | {own}
    paths = language_switch.at_path(request.path_info, publication=publication)
    language_switch.only_in(request, {language: path for language, path in paths.items() if language in shown})


def stories_in(language: str, *, stories: Collection[int], whole: bool = False) -> dict[int, Article]:
    """The public texts in this language of the groups of these stories, by the number of the story.

    With all that a card shows, or `whole`: with all that a page shows.
    """
    originals = {
        pk: original or pk
        for pk, original in Article.objects.filter(pk__in=stories).values_list("pk", "translation_of")
    }
    numbers = set(originals.values())
    texts = Article.objects.published().filter(language=language)
    texts = texts.with_related() if whole else texts.for_cards()
    texts_by_original = {
        original_of(text): text for text in texts.filter(Q(pk__in=numbers) | Q(translation_of__in=numbers))
    }
    return {pk: texts_by_original[original] for pk, original in originals.items() if original in texts_by_original}


def translate(*, article: Article, language: str, actor: User | None, now: datetime) -> Article:
    """Begin the translation of a story: a draft with the words of the original, to be written over.

    Section, tags, authors and picture are the original's. On failure: NotAllowed, or NotReady where the story is in
    that language already, or the language is none of the publication's.
    """
    permissions.require(permissions.ADD, user=actor)
    if not languages.has_pages(language):
        raise NotReady(_("This is none of the publication's languages."))
    original = Article.objects.get(pk=original_of(article))
    if original.language == language:
        raise NotReady(_("The story is in this language already."))
    permissions.require_section(user=actor, section=original.section_id, before=None)
    try:
        with transaction.atomic():
            draft = _draft(original, language, now)
            revisions.record(article=draft, actor=actor, note=f"Translation of {original.slug} begun", now=now)
            audit.record(
                action=AuditAction.STORY_TRANSLATED, actor=actor, target=draft, now=now,
                original=original.pk, language=language,
            )  # fmt: skip
    except IntegrityError as error:
        raise NotReady(_("The story is in this language already.")) from error
    return draft


def _draft(original: Article, language: str, now: datetime) -> Article:
    draft = Article.objects.create(
        headline=original.headline,
        slug=slugs.free(headline=f"{original.slug} {language}"),
        standfirst=original.standfirst,
        body_markdown=original.body_markdown,
        section=original.section,
        lead_image=original.lead_image,
        language=language,
        translation_of=original,
        translated_version=last_version(original.pk),
        created_at=now,
    )
    draft.tags.set(original.tags.all())
    Byline.objects.bulk_create(
        Byline(article=draft, author_id=entry.author_id, position=entry.position) for entry in original.bylines.all()
    )
    return draft


def confirm(*, article: Article, actor: User | None, now: datetime) -> None:
    """Say that a translation has what its original says now. On failure: NotAllowed, or WrongState."""
    permissions.require_edit(user=actor, article=article)
    with transaction.atomic():
        row = Article.objects.select_for_update(no_key=True).filter(pk=article.pk, stale_since__isnull=False).first()
        if row is None or row.translation_of_id is None:
            raise WrongState(_("This text is up to date already."))
        row.stale_since, row.translated_version = None, last_version(row.translation_of_id)
        row.save(update_fields=["stale_since", "translated_version"])
        audit.record(action=AuditAction.TRANSLATION_CONFIRMED, actor=actor, target=row, now=now)
    article.refresh_from_db()


def mark_stale(*, original: Article, now: datetime) -> None:
    """The original says something else now than its translations do."""
    Article.objects.filter(translation_of=original, stale_since__isnull=True).update(stale_since=now)


def mark_if_rewritten(*, original: Article, before: Revision | None, after: Revision, now: datetime) -> None:
    """`mark_stale`, if its words differ in these two versions."""
    if before is not None and revisions.changed_words(before=before.snapshot, after=after.snapshot):
        mark_stale(original=original, now=now)


def check_language(*, article: Article, language: str) -> None:
    """Return when no other text of the story's group is in this language. On failure: NotReady."""
    if article.pk and group(article).filter(language=language).exclude(pk=article.pk).exists():
        raise NotReady(_("Another text of this story is in this language already."))


def last_version(number: int) -> int:
    """The newest version of the story with this number; 0 where there is none."""
    return int(Revision.objects.filter(article=number).aggregate(last=Max("number"))["last"] or 0)


def languages_of(stories: Iterable[Article]) -> dict[int, list[tuple[str, str]]]:
    """For each of these stories that has public translations: (language, path) of every text of its group."""
    originals = {story.pk: original_of(story) for story in stories}
    numbers = set(originals.values())
    texts = Article.objects.published().filter(Q(pk__in=numbers) | Q(translation_of__in=numbers))
    by_group: dict[int, list[tuple[str, str]]] = {}
    for text in texts.only("slug", "language", "translation_of").order_by("pk"):
        by_group.setdefault(original_of(text), []).append((text.language, text.get_absolute_url()))
    return {pk: by_group[original] for pk, original in originals.items() if len(by_group.get(original, ())) > 1}
