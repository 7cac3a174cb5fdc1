"""The page that compares two versions of a story."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminSelectWidget

from articles import comparison
from articles.comparison import Part
from articles.models import Article, Revision
from staff import names


class Versions(forms.Form):
    """Which two; without a choice the newest and the one before."""

    old = forms.TypedChoiceField(label=_("Older version"), coerce=int, required=False, widget=UnfoldAdminSelectWidget)
    new = forms.TypedChoiceField(label=_("Newer version"), coerce=int, required=False, widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, versions: list[Revision], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(version.number, label(version)) for version in versions]
        for field in self.fields.values():
            field.choices = choices  # type: ignore[attr-defined]  # a field of choices


def label(version: Revision) -> str:
    """“5 · ada: Published”."""
    who = names.of(version.created_by) or _("the clock")
    note = f": {version.note}" if version.note else ""
    return f"{version.number} · {who}{note}"


def context(*, story: Article, given: Any) -> dict[str, Any]:
    """What the page shows."""
    versions = list(story.revisions.select_related("created_by"))
    by_number = {version.number: version for version in versions}
    chosen = Versions(given, versions=versions)
    picked = chosen.cleaned_data if chosen.is_valid() else {}
    new = picked.get("new") or versions[0].number
    old = picked.get("old") or max((number for number in by_number if number < new), default=new)
    older, newer = by_number[min(old, new)], by_number[max(old, new)]
    return {
        "form": Versions(initial={"old": older.number, "new": newer.number}, versions=versions),
        "versions": versions,
        "older": older,
        "newer": newer,
        "changes": [
            {"name": change.name, "html": marked(change.parts)}
            for change in comparison.changes(old=older.snapshot, new=newer.snapshot)
        ],
    }


def marked(parts: Iterable[Part]) -> SafeString:
    """The words with marks that are also spoken."""
    return format_html_join("", "{}", ((_mark(part),) for part in parts))


def _mark(part: Part) -> SafeString:
    if part.kind == comparison.GAP:
        sentence = ngettext("%(count)s unchanged paragraph", "%(count)s unchanged paragraphs", part.count)
        return format_html('<span class="story-gap">{}</span>', sentence % {"count": part.count})
    if part.kind == comparison.ADDED:
        return format_html('<ins><span class="story-spoken">{} </span>{}</ins>', _("added:"), part.text)
    if part.kind == comparison.REMOVED:
        return format_html('<del><span class="story-spoken">{} </span>{}</del>', _("removed:"), part.text)
    return format_html("{}", part.text)
