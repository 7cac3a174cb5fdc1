"""The stories of a draft, changed many at a time: for issues with more of them than a form can hold."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.models import Case, F, IntegerField, Value, When
from django.utils.translation import gettext as _

from digests import composing
from digests.models import Issue


class NotEditable(Exception):
    """The issue is no draft any more; the message is a sentence for an editor."""


def leave_out(*, issue: Issue, items: Collection[int]) -> int:
    """Leave stories out of the draft; they are not offered again. Returns how many. On failure: NotEditable."""
    with _locked(issue) as draft:
        return draft.items.filter(pk__in=items, included=True).update(included=False)


def take_back(*, issue: Issue, items: Collection[int]) -> int:
    """Take stories that were left out back into the draft; returns how many.

    On failure: NotEditable; composing.Mismatch when one of them is not public or is in another issue, and then
    none is taken back.
    """
    with _locked(issue) as draft:
        places = draft.items.filter(pk__in=items, included=False)
        for place in places.select_related("article"):
            composing.check_story(issue=draft, article=place.article)
        return places.update(included=True)


def move_to_top(*, issue: Issue, items: Collection[int]) -> int:
    """Put stories before all others, in the order that they have now; returns how many. On failure: NotEditable."""
    with _locked(issue) as draft:
        moved = list(draft.items.filter(pk__in=items).order_by("position", "pk").values_list("pk", flat=True))
        order = [When(pk=pk, then=Value(position)) for position, pk in enumerate(moved)]
        draft.items.update(position=Case(*order, default=F("position") + len(moved), output_field=IntegerField()))
        return len(moved)


@contextmanager
def _locked(issue: Issue) -> Iterator[Issue]:
    with transaction.atomic():
        draft = Issue.objects.select_for_update(of=("self",), no_key=True).select_related("newsletter").get(pk=issue.pk)
        if not composing.is_editable(issue=draft):
            raise NotEditable(_("This issue is approved already. Take it back to draft first."))
        yield draft
