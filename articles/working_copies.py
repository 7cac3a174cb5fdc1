"""The verbs of a working copy: keep what is being typed, list it when the story is opened again, discard it.

A copy belongs to one person and one opened form. It changes no story. Saving the form discards it.
"""

import json
import re
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from articles import permissions
from articles.models import Article, WorkingCopy
from articles.refusals import NotAllowed, PublishingError
from mailkit import characters

TOKEN: Final = re.compile(r"[0-9a-f]{32}")
MAX_BYTES: Final = 3_000_000
# A person who has more open forms than this sees the latest.
LISTED: Final = 10
# What nobody came back for is forgotten.
REMEMBERED: Final = timedelta(days=60)


class CannotKeep(PublishingError):
    """The fields are not those of a form, or too large."""


def keep(*, user: User, article: Article | None, token: str, content: dict[str, Any], now: datetime) -> WorkingCopy:
    """Store what the form `token` shows, in place of what it showed before.

    On failure: NotAllowed for who may not write this story, or CannotKeep.
    """
    if article is not None:
        permissions.require_edit(user=user, article=article)
    else:
        permissions.require(permissions.ADD, user=user)
    if not TOKEN.fullmatch(token) or not _is_form(content):
        raise CannotKeep(_("This is not the form of a story. Open the story again."))
    if len(json.dumps(content)) > MAX_BYTES:
        raise CannotKeep(_("This form is too large to be kept. Save it, or divide the story."))
    copy, _created = WorkingCopy.objects.update_or_create(
        user=user, token=token, defaults={"article": article, "content": _clean(content), "updated_at": now}
    )
    return copy


def of(*, user: User, article: Article | None) -> list[WorkingCopy]:
    """What this person typed into forms of the story, or of new stories, and has not saved; the latest first."""
    if article is not None and not permissions.may_edit(user=user, article=article):
        raise NotAllowed(_("You may change only your own drafts. Ask an editor."))
    return list(WorkingCopy.objects.filter(user=user, article=article).order_by("-updated_at")[:LISTED])


def discard(*, user: User, token: str) -> None:
    """Forget a copy: its form was saved, or its writer does not want it."""
    WorkingCopy.objects.filter(user=user, token=token).delete()


def forget_old(*, now: datetime) -> int:
    """Delete what nobody came back for; return how many there were."""
    count, _rows = WorkingCopy.objects.filter(updated_at__lt=now - REMEMBERED).delete()
    return count


def _clean(content: dict[str, Any]) -> dict[str, Any]:
    """Without control characters, as the form itself would take them."""
    fields, labels = content["fields"].items(), content["labels"].items()
    return {
        "fields": {characters.line(name): [characters.text(value) for value in values] for name, values in fields},
        "labels": {characters.line(name): characters.line(value) for name, value in labels},
    }


def _is_form(content: Any) -> bool:
    """Whether this is fields with lists of values, and labels."""
    if not isinstance(content, dict) or set(content) != {"fields", "labels"}:
        return False
    fields, labels = content["fields"], content["labels"]
    if not isinstance(fields, dict) or not isinstance(labels, dict):
        return False
    values = [*fields.values(), list(labels.values())]
    return all(isinstance(each, list) and all(isinstance(value, str) for value in each) for each in values)
