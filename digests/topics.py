"""Topics that readers choose: which there are, how they are called, and which stories of an issue they select."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from django.db.models import QuerySet

from articles.models import Article, Section, Tag
from digests.models import Issue, IssueItem
from subscribers.models import Newsletter, Subscription, TopicChoice
from subscribers.topics import Topic

SECTIONS, TAGS = TopicChoice.sections.through, TopicChoice.tags.through


def offered(*, subscriptions: Sequence[Subscription]) -> dict[int, tuple[Topic, ...]]:
    """What this reader can choose, by newsletter: its sections, and the tags that its editors picked.

    What the reader has is there though it is not offered any more. Nothing for a newsletter with a single topic: there
    is no choice. The number of queries is the same for every number of newsletters.
    """
    newsletters = [row.newsletter_id for row in subscriptions]
    everything = list(Section.objects.all())
    own = _of_newsletters(Newsletter.sections.through.objects.filter(newsletter__in=newsletters), "section_id")
    picked = _of_newsletters(Newsletter.topic_tags.through.objects.filter(newsletter__in=newsletters), "tag_id")
    tags = Tag.objects.filter(pk__in={pk for some in picked.values() for pk in some})
    chosen = named(choices={row.topics_id for row in subscriptions if row.topics_id})
    options = {}
    for row in subscriptions:
        sections = [one for one in everything if one.pk in own.get(row.newsletter_id, {one.pk})]
        labels = [one for one in tags if one.pk in picked.get(row.newsletter_id, ())]
        there = dict.fromkeys([*map(_topic, sections), *map(_topic, labels), *chosen.get(row.topics_id or 0, ())])
        options[row.newsletter_id] = tuple(there) if len(there) > 1 else ()
    return options


def named(*, choices: Collection[int]) -> dict[int, tuple[Topic, ...]]:
    """The topics of each of these choices of readers, as the offer of a newsletter has them."""
    sections = list(SECTIONS.objects.filter(topicchoice__in=choices).values_list("topicchoice_id", "section_id"))
    tags = list(TAGS.objects.filter(topicchoice__in=choices).values_list("topicchoice_id", "tag_id"))
    rows = [
        *_of_choices(sections, Section.objects.in_bulk({pk for _, pk in sections})),
        *_of_choices(tags, Tag.objects.in_bulk({pk for _, pk in tags})),
    ]
    names: dict[int, tuple[Topic, ...]] = {}
    for choice, topic in rows:
        names[choice] = (*names.get(choice, ()), topic)
    return names


def selected(*, issue: Issue, choices: Collection[int]) -> dict[int, frozenset[int] | None]:
    """The articles of the issue that each choice selects; None: all of them, or the choice has no topic left.

    A story is selected by its section or by any of its tags.
    """
    # Two steps, so that the planner joins no table with all stories.
    shown = list(IssueItem.objects.filter(issue=issue).public().values_list("article_id", flat=True))
    # Choices are compared as numbers with a bit for each story: there may be thousands of both.
    bits = {article: 1 << place for place, article in enumerate(shown)}
    of_section: defaultdict[int, int] = defaultdict(int)
    for article, section in Article.objects.filter(pk__in=shown).values_list("pk", "section_id"):
        of_section[section] |= bits[article]
    of_tag: defaultdict[int, int] = defaultdict(int)
    for article, tag in Article.tags.through.objects.filter(article__in=shown).values_list("article_id", "tag_id"):
        of_tag[tag] |= bits[article]
    masks: dict[int, int] = {}
    for choice, section in SECTIONS.objects.filter(topicchoice__in=choices).values_list("topicchoice", "section"):
        masks[choice] = masks.get(choice, 0) | of_section[section]
    for choice, tag in TAGS.objects.filter(topicchoice__in=choices).values_list("topicchoice", "tag"):
        masks[choice] = masks.get(choice, 0) | of_tag[tag]
    all_of_them = (1 << len(shown)) - 1
    sets: dict[int, frozenset[int] | None] = {all_of_them: None}
    for mask in masks.values():
        if mask not in sets:
            sets[mask] = frozenset(article for article, bit in bits.items() if mask & bit)
    return {choice: sets[masks.get(choice, all_of_them)] for choice in choices}


def _of_choices(
    pairs: list[tuple[int, int]], known: Mapping[int, Section] | Mapping[int, Tag]
) -> Iterator[tuple[int, Topic]]:
    for choice, pk in sorted(pairs):
        if pk in known:
            yield choice, _topic(known[pk])


def _of_newsletters(rows: QuerySet[Any], column: str) -> Mapping[int, set[int]]:
    ids: defaultdict[int, set[int]] = defaultdict(set)
    for newsletter, pk in rows.values_list("newsletter_id", column):
        ids[newsletter].add(pk)
    return ids


def _topic(row: Section | Tag) -> Topic:
    kind = "section" if isinstance(row, Section) else "tag"
    return Topic(f"{kind}-{row.pk}", row.local.name, row.local.language)
