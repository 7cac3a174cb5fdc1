"""Who is meant by “@name” in a comment: colleagues who may read the story; a mail and their first page say so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from django.contrib.auth.models import User

from articles import permissions
from articles.models import Article

# Not the address "desk@example.org", whose "@" follows a letter. A full stop at the end is the sentence's.
_NAMES: Final = re.compile(r"(?<![\w.@+-])@(\w(?:[\w.@+-]*\w)?)")


def of(*, text: str, article: Article, author: User) -> list[User]:
    """Those who are named, each once, without the author and those who may not read the story.

    A name is somebody's first name, the whole name in one word, the account's, or the part before its “@”. When it
    is that of two people, both are meant: one who was not asked does less harm than one who never heard of it.
    """
    named = {name.casefold() for name in _NAMES.findall(text)}
    if not named:
        return []
    team = User.objects.filter(is_active=True, is_staff=True).exclude(pk=author.pk).order_by("pk")
    meant = [person for person in team if named & set(_names(person))]
    return [person for person in meant if permissions.may_view(user=person, article=article)]


def _names(person: User) -> Iterator[str]:
    account = person.get_username()
    for name in (account, account.partition("@")[0], person.get_full_name().replace(" ", "")):
        yield name.casefold()
    yield from (word.casefold() for word in person.first_name.split()[:1])
