"""Publish a reader's letter below a story, and withdraw it again."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from articles import permissions
from articles.models import Article, ReaderLetter
from articles.refusals import NotReady, WrongState

LONGEST: Final = 5_000
ADDRESS: Final = re.compile(r"[^\s@<>]{1,64}@[^\s@<>]{1,250}\.[^\s@<>]{2,24}")


@transaction.atomic
def publish(*, article: Article, name: str, text: str, actor: User | None, now: datetime) -> ReaderLetter:
    """A letter on the page of a public story. The caller records the act.

    On failure: NotAllowed, WrongState, or NotReady: without a name or words, or with an address among them.
    """
    permissions.require(permissions.CHANGE, user=actor, article=article)
    state = Article.objects.select_for_update(no_key=True).values_list("state", flat=True).get(pk=article.pk)
    if state != Article.State.PUBLISHED:
        raise WrongState(_("Only a published story has letters to the editor."))
    name, text = " ".join(name.split()), text.replace("\r\n", "\n").strip()
    if not name or not text:
        raise NotReady(_("A letter needs a name and words."))
    if len(text) > LONGEST:
        raise NotReady(_("A letter has at most %(most)s characters. Shorten it.") % {"most": LONGEST})
    if ADDRESS.search(name) or ADDRESS.search(text):
        raise NotReady(_("There is an e-mail address in it. Remove it: the page is public."))
    return ReaderLetter.objects.create(
        article=article, name=name[:120], text=text, published_at=now, published_by=actor
    )


def withdraw(*, letter: ReaderLetter, actor: User | None) -> None:
    """Take it off the page. The caller records the act. On failure: NotAllowed."""
    permissions.require(permissions.CHANGE, user=actor, article=letter.article)
    letter.delete()
