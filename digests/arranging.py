"""Bulk changes to the stories of a draft, for issues with more stories than a form can hold."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Case, F, IntegerField, Value, When
from django.utils.translation import gettext as _

from articles.models import Article
from digests import composing, permissions, second_person
from digests.models import Issue, IssueItem


class NotEditable(Exception):
    """The issue is no longer a draft. The message is a sentence for an editor."""


def leave_out(*, issue: Issue, items: Collection[int], actor: AbstractBaseUser | None) -> int:
    """Leave stories out of the draft; no later digest offers them. Returns how many. On failure: NotEditable."""
    with _locked(issue, actor) as draft:
        return draft.items.filter(pk__in=items, included=True).update(included=False)


def take_back(*, issue: Issue, items: Collection[int], actor: AbstractBaseUser | None) -> int:
    """Take stories that were left out back into the draft; returns how many.

    On failure: NotEditable; composing.Mismatch if one of them is not public or is in another issue. Then none
    is taken back.
    """
    with _locked(issue, actor) as draft:
        left_out = draft.items.filter(pk__in=items, included=False)
        for item in left_out.with_stories():
            composing.check_story(issue=draft, article=item.article)
        return left_out.update(included=True)


def take_in(*, issue: Issue, articles: Collection[int], actor: AbstractBaseUser | None) -> int:
    """Add stories at the end of the draft; returns how many. On failure: as `take_back`."""
    with _locked(issue, actor) as draft:
        position = draft.items.count()
        stories = Article.objects.filter(pk__in=articles).exclude(issue_items__issue=draft)
        for story in stories:
            composing.check_story(issue=draft, article=story)
        items = [IssueItem(issue=draft, article=story, position=position + at) for at, story in enumerate(stories)]
        return len(IssueItem.objects.bulk_create(items))


def move_to_top(*, issue: Issue, items: Collection[int], actor: AbstractBaseUser | None) -> int:
    """Move stories before all others, in their present order; returns how many. On failure: NotEditable."""
    with _locked(issue, actor) as draft:
        moved = list(draft.items.filter(pk__in=items).order_by("position", "pk").values_list("pk", flat=True))
        order = [When(pk=pk, then=Value(position)) for position, pk in enumerate(moved)]
        draft.items.update(position=Case(*order, default=F("position") + len(moved), output_field=IntegerField()))
        return len(moved)


@contextmanager
def _locked(issue: Issue, actor: AbstractBaseUser | None) -> Iterator[Issue]:
    permissions.require(permissions.CHANGE, user=actor, issue=issue)
    with transaction.atomic():
        draft = Issue.objects.select_for_update(of=("self",), no_key=True).select_related("newsletter").get(pk=issue.pk)
        if not composing.is_editable(issue=draft):
            raise NotEditable(_("This issue is approved already. Take it back to draft first."))
        yield draft
        second_person.edited(issue=draft, actor=actor)
