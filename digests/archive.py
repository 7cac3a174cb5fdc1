"""Public issues: the frozen snapshot, without any reader's personal links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from django.db.models import Prefetch, QuerySet
from django.urls import reverse
from django.utils.html import escape

from articles import translations
from core import page_tags
from digests import variants
from digests.models import Frozen, Issue, IssueItem, Variant
from mailkit import segments
from publication import languages, urls
from subscribers.models import Newsletter

# What a list of issues does not show of a snapshot; each of these is as large as the mail.
WHOLE: Final = ("snapshot__html", "snapshot__text", "snapshot__headers", "snapshot__compiled")


def issues(*, newsletter: Newsletter) -> QuerySet[Issue]:
    """The newsletter's public issues, newest first."""
    return briefly(Issue.objects.listed().filter(newsletter=newsletter)).order_by("-number")


def briefly(issues: QuerySet[Issue]) -> QuerySet[Issue]:
    """The issues with their newsletter, subject and preheader, without the mails themselves."""
    shown = issues.select_related("newsletter", "snapshot").defer(*WHOLE)
    return with_variants(shown, Variant.objects.defer("html", "text", "headers", "compiled"))


def with_variants(issues: QuerySet[Issue], texts: QuerySet[Variant]) -> QuerySet[Issue]:
    """The issues with what `snapshot.local` shows on pages of further languages; those of the first ask for nothing."""
    language = languages.of_pages()
    if language not in languages.further():
        return issues
    return issues.prefetch_related(
        Prefetch("snapshot__variants", texts.filter(language=language, topics=0, reading="", amended=0))
    )


def item_ids(*, issue: Issue) -> QuerySet[IssueItem, int]:
    """Ids of the issue's public items, in its order. `listed` loads a page of them."""
    return IssueItem.objects.filter(issue=issue).public().values_list("pk", flat=True)


def listed(*, issue: Issue, ids: Iterable[int]) -> list[IssueItem]:
    """Items of an issue with their articles, in its order, without the texts; translated as its variants are."""
    items = IssueItem.objects.filter(pk__in=list(ids)).with_stories("section")
    language = languages.of_pages()
    if language not in issue.snapshot.languages:
        return list(items)
    shown = variants.translated(items, language=language)
    page_tags.add(*(f"translations:{translations.original_of(item.article)}" for item in shown))
    return shown


def web_html(*, snapshot: Frozen) -> str:
    """The HTML that the issue's readers got, for a browser."""
    return neutral_html(html=snapshot.html)


def neutral_html(*, html: str) -> str:
    """HTML of a mail with public links in its slots."""
    return _filled(html, {name: escape(value) for name, value in _neutral().items()})


def neutral_text(*, text: str) -> str:
    """Text of a mail with public links in its slots."""
    return _filled(text, _neutral())


def _neutral() -> dict[str, str]:
    """The page that asks for an address, since nobody knows who is reading, and mails the way to leave or to choose."""
    page = urls.absolute(reverse("preferences_link"))
    return {"unsubscribe_url": page, "preferences_url": page}


def _filled(source: str, values: Mapping[str, str]) -> str:
    return segments.SLOT.sub(lambda slot: values.get(slot[1], ""), source)
