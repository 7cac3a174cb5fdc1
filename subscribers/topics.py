"""Topics of a newsletter: what a reader may choose, and the rows that hold choices.

A choice is a preference: it says which stories come, never whether mail may come, and it is no consent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from subscribers.models import TopicChoice

KINDS: Final = ("section", "tag")


@dataclass(frozen=True, slots=True)
class Topic:
    """A section or a tag. `value` names it in forms: section-3. `name` is in `language`."""

    value: str
    name: str
    language: str


# What a reader can choose: a call with the reader's `subscriptions` gives it by newsletter id.
Catalogue: TypeAlias = Callable[..., Mapping[int, Sequence[Topic]]]


def choice(*, values: Collection[str]) -> TopicChoice | None:
    """The row of this set of topics, made if it is the first reader's; None for no topics. Needs a transaction.

    Before: the values are those of topics that exist.
    """
    if not values:
        return None
    ids = {kind: sorted(int(one.split("-")[1]) for one in values if one.startswith(f"{kind}-")) for kind in KINDS}
    row, is_new = TopicChoice.objects.get_or_create(key=key(values))
    if is_new:
        row.sections.set(ids["section"])
        row.tags.set(ids["tag"])
    return row


def values(choices: Collection[int]) -> dict[int, frozenset[str]]:
    """The topics of each choice, as forms name them."""
    named: dict[int, set[str]] = {pk: set() for pk in choices}
    for kind, through in (("section", TopicChoice.sections.through), ("tag", TopicChoice.tags.through)):
        rows = through.objects.filter(topicchoice__in=choices).values_list("topicchoice_id", f"{kind}_id")
        for row, pk in rows:
            named[row].add(f"{kind}-{pk}")
    return {pk: frozenset(some) for pk, some in named.items()}


def names(row: TopicChoice | None) -> list[str]:
    """What the topics of a choice are called on the page that is written; none for no choice."""
    return [] if row is None else [topic.local.name for topic in row.topics]


def key(values: Collection[str]) -> str:
    """The same 64 hex digits for the same topics in any order."""
    return hashlib.sha256(" ".join(sorted(set(values))).encode()).hexdigest()
