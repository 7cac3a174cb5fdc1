"""Who reads which text of an issue: its readers by language, topics and format when it is approved.

Choices of topics that select the same stories of this issue share one text. A choice that selects none gets no copy,
and one that selects all gets the whole issue. At most `VARIANTS_PER_ISSUE` texts are made for topics, of those that
most readers get; the other readers get the whole issue. As many more tell of amendments (`digests.amendments`): who
would get any other hears of them from the next issue.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db.models import Count, Q

from digests import amendments, topics, variants
from digests.models import Issue, Snapshot
from digests.variant_keys import HEADLINES, OWN, WITHOUT, VariantKey
from publication.models import Publication
from subscribers.models import Subscription

Stories = frozenset[int]


class Group(NamedTuple):
    """Readers who are served alike.

    `choice` is the id of their choice of topics, `amended` the number of the amendments of which they are to hear;
    0 for none.
    """

    language: str
    choice: int = 0
    format: str = ""
    amended: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """A text beside the issue's own, and how many readers get it.

    `stories`: the ids of its articles; None: all. `amendments`: those of which it tells.
    """

    key: VariantKey
    readers: int = 0
    stories: Stories | None = None
    amendments: amendments.Keys = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """Which text a reader gets. It is stored in the audience rule of the snapshot, which its hash covers."""

    keys: frozenset[str] = frozenset()
    # The choices that each number of a key is for, the most frequent first; and those that select no story.
    choices: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    without: tuple[int, ...] = ()
    # Of readers who chose no format.
    reading: str = ""
    # The amendments that each number of a key is for.
    amended: Mapping[int, amendments.Keys] = field(default_factory=dict)

    @classmethod
    def of(cls, *, snapshot: Snapshot) -> Rule:
        """That of a frozen issue. Variants that are not stored do not count."""
        rule = snapshot.audience_rule
        choices = {int(number): tuple(some) for number, some in rule.get("topics", {}).items()}
        amended = {int(number): tuple(some) for number, some in rule.get("amended", {}).items()}
        rows = snapshot.variants.values_list("language", "topics", "reading", "amended")
        stored = frozenset(str(VariantKey(*row)) for row in rows)
        return cls(stored, choices, tuple(rule.get("without", ())), rule.get("reading", ""), amended)

    def stored(self) -> dict[str, Any]:
        """As the audience rule has it, beside the variants; nothing where all readers are alike."""
        values = {
            "topics": {str(number): list(some) for number, some in self.choices.items()},
            "without": list(self.without),
            "reading": self.reading,
            "amended": {str(number): list(some) for number, some in self.amended.items()},
        }
        return {name: value for name, value in values.items() if value}

    def keys_of(self, groups: Iterable[Group]) -> dict[Group, str]:
        """What each group gets: the key of a text, empty for the issue's own, or WITHOUT."""
        numbers = {choice: number for number, some in self.choices.items() for choice in some}
        without = frozenset(self.without)
        keys = {
            group: WITHOUT if group.choice in without else self._key(group, numbers.get(group.choice, 0))
            for group in groups
        }
        return {group: self._telling(group, key) for group, key in keys.items()}

    def informed(self, *, issue: Issue, now: datetime) -> dict[int, list[int]]:
        """The readers, by the number of the amendments of which the issue tells them; the next informs the others."""
        if not self.amended:
            return {}
        numbers = {frozenset(keys): number for number, keys in self.amended.items()}
        sets = amendments.sets(issue=issue, now=now, among={key for keys in numbers for key in keys})
        groups = ((numbers.get(frozenset(keys)), readers) for keys, readers in sets.items())
        return {number: readers for number, readers in groups if number is not None}

    def _telling(self, group: Group, key: str) -> str:
        telling = str(_telling_key(key, group.amended))
        return telling if group.amended and key != WITHOUT and telling in self.keys else key

    def _key(self, group: Group, number: int) -> str:
        language = group.language if group.language in self.keys else ""
        reading = HEADLINES if (group.format or self.reading) == HEADLINES else ""
        wanted = map(str, (VariantKey(language, number, reading), VariantKey(language, 0, reading)))
        return next((key for key in wanted if key in self.keys), language)


ALIKE: Final = Rule()
OWN_TEXT: Final = Text(OWN, 0)


@dataclass(frozen=True, slots=True)
class Readership:
    """The texts that an issue has if it is frozen now. None beside its own: all its readers are alike.

    `languages`: how many readers each further language has. `own` readers get the issue's own text; `limited` ones
    chose topics and get all stories, because there are too many choices; `without` ones get no copy.
    """

    rule: Rule
    texts: tuple[Text, ...] = ()
    languages: Mapping[str, int] = field(default_factory=dict)
    own: int = 0
    limited: int = 0
    without: int = 0


def of(*, issue: Issue, now: datetime, among: Collection[int] | None = None) -> Readership:
    """Who would get which text of the issue; `among` these subscribers only, if it is not for all."""
    informed = amendments.sets(issue=issue, now=now)
    numbered = dict(enumerate(informed, start=1))
    rule = Rule(reading=_default(issue), amended=numbered)
    groups = _groups(issue, now, rule, dict(enumerate(informed.values(), start=1)), among)
    if not groups:
        return Readership(replace(rule, amended={}))
    selected = topics.selected(issue=issue, choices={group.choice for group in groups} - {0})
    languages = _languages(issue, groups)
    alike = _alike(groups)
    narrow = _narrow(alike, selected)
    keys = [*_whole(groups, languages), *narrow]
    rule = replace(
        rule,
        keys=frozenset(map(str, keys)),
        choices=_choices(alike, selected, narrow),
        without=tuple(sorted(choice for choice, stories in selected.items() if stories == frozenset())),
    )
    telling = _telling(groups, _served(rule, groups))
    rule = replace(
        rule,
        keys=rule.keys | set(map(str, telling)),
        amended={number: keys for number, keys in numbered.items() if number in {key.amended for key in telling}},
    )
    served = _served(rule, groups)
    readers = _sums(groups, served)
    choosing = {group: key for group, key in served.items() if selected.get(group.choice)}
    limited = (groups[group] for group, key in choosing.items() if not VariantKey.parse(key).topics)
    return Readership(
        rule=rule,
        texts=tuple(
            Text(key, readers[str(key)], narrow.get(key._replace(amended=0)), numbered.get(key.amended, ()))
            for key in [*keys, *telling]
        ),
        languages=languages,
        own=readers[""],
        limited=sum(limited),
        without=readers[WITHOUT],
    )


def expected(*, issue: Issue, now: datetime) -> Readership:
    """As `of`; of a frozen issue, its own texts with the readers that they have now, and without `limited`."""
    frozen = Snapshot.objects.filter(issue=issue).only("audience_rule").first()
    if frozen is None:
        return of(issue=issue, now=now)
    rule = Rule.of(snapshot=frozen)
    groups = _groups(issue, now, rule, rule.informed(issue=issue, now=now))
    readers = _sums(groups, _served(rule, groups))
    texts = tuple(Text(VariantKey.parse(key), readers[key]) for key in sorted(rule.keys))
    return Readership(
        rule=rule, texts=texts, languages=_languages(issue, groups), own=readers[""], without=readers[WITHOUT]
    )


def _served(rule: Rule, groups: Iterable[Group]) -> dict[Group, str]:
    """What groups get in whose format the default is already."""
    return replace(rule, reading="").keys_of(groups)


def _sums(groups: Counter[Group], served: Mapping[Group, str]) -> Counter[str]:
    readers = Counter[str]()
    for group, key in served.items():
        readers[key] += groups[group]
    return readers


def _telling_key(key: str, number: int) -> VariantKey:
    """The key of the same text with these amendments."""
    return VariantKey.parse(key)._replace(amended=number)


def _telling(groups: Counter[Group], served: Mapping[Group, str]) -> list[VariantKey]:
    """The texts with amendments that most readers get."""
    readers = Counter[VariantKey]()
    for group, number in groups.items():
        if group.amended and served[group] != WITHOUT:
            readers[_telling_key(served[group], group.amended)] += number
    ranked = sorted(readers, key=lambda key: (-readers[key], key))
    return ranked[: settings.VARIANTS_PER_ISSUE]


def _alike(groups: Counter[Group]) -> Counter[Group]:
    """The groups without what they are to hear."""
    readers = Counter[Group]()
    for group, number in groups.items():
        readers[group._replace(amended=0)] += number
    return readers


def served(*, issue: Issue, subscription: Subscription, now: datetime) -> str:
    """The key of what this reader gets, or WITHOUT; of an issue that is not frozen, as it would be now."""
    frozen = Snapshot.objects.filter(issue=issue).first()
    rule = of(issue=issue, now=now).rule if frozen is None else Rule.of(snapshot=frozen)
    informed = rule.informed(issue=issue, now=now).items()
    number = next((number for number, readers in informed if subscription.subscriber_id in readers), 0)
    group = Group(subscription.subscriber.language, subscription.topics_id or 0, subscription.format, number)
    return rule.keys_of([group])[group]


def _default(issue: Issue) -> str:
    """The format of readers who chose none; a letter has one alone."""
    is_short = issue.kind != Issue.Kind.LETTER and Publication.objects.current().mail_format == HEADLINES
    return HEADLINES if is_short else ""


def _groups(
    issue: Issue, now: datetime, rule: Rule, informed: Mapping[int, list[int]], among: Collection[int] | None = None
) -> Counter[Group]:
    """The readers by what is served to them; none if nobody can differ from the others."""
    further = variants.offered(issue=issue)
    chooses = issue.kind != Issue.Kind.LETTER
    particular = issue.subscriptions().filter(Q(topics__isnull=False) | ~Q(format=""))
    if not (further or rule.reading or informed or (chooses and particular.exists())):
        return Counter()
    groups = Counter[Group]()
    readers = issue.readers(now=now).order_by()
    if among is not None:
        readers = readers.filter(subscriber__in=among)
    counts = [(0, readers), *((number, readers.filter(subscriber__in=ids)) for number, ids in informed.items())]
    for place, some in counts:
        rows = some.values_list("subscriber__language", "topics", "format").annotate(readers=Count("pk"))
        for language, choice, format_, number in rows:
            spoken = language if language in further else ""
            reading = HEADLINES if (format_ or rule.reading) == HEADLINES else ""
            group = Group(spoken, choice or 0, reading) if chooses else Group(spoken)
            groups[group] += number if not place else -number
            if place:
                groups[group._replace(amended=place)] += number
    return +groups


def _languages(issue: Issue, groups: Counter[Group]) -> dict[str, int]:
    """How many readers each further language has, in the publication's order."""
    readers = Counter[str]()
    for group, number in groups.items():
        readers[group.language] += number
    return {language: readers[language] for language in variants.offered(issue=issue) if readers[language]}


def _whole(groups: Iterable[Group], languages: Iterable[str]) -> list[VariantKey]:
    """All stories in each language, and as headlines for those who read these."""
    short = {group.language for group in groups if group.format}
    headlines = [VariantKey(language, 0, HEADLINES) for language in ("", *languages) if language in short]
    return [*map(VariantKey, languages), *headlines]


def _narrow(groups: Counter[Group], selected: Mapping[int, Stories | None]) -> dict[VariantKey, Stories]:
    """The texts for topics that most readers get, with their stories; equal stories have one number."""
    readers = Counter[tuple[Stories, str, str]]()
    for group, number in groups.items():
        if stories := selected.get(group.choice):
            readers[stories, group.language, group.format] += number
    numbers: dict[Stories, int] = {}
    # Of equally many readers, always in the same order.
    ranked = sorted(readers, key=lambda one: (-readers[one], sorted(one[0]), one[1:]))
    return {
        VariantKey(language, numbers.setdefault(stories, len(numbers) + 1), reading): stories
        for stories, language, reading in ranked[: settings.VARIANTS_PER_ISSUE]
    }


def _choices(
    groups: Counter[Group], selected: Mapping[int, Stories | None], narrow: Mapping[VariantKey, Stories]
) -> dict[int, tuple[int, ...]]:
    """The choices that each number is for, the most frequent first."""
    numbers: dict[Stories | None, int] = {stories: key.topics for key, stories in narrow.items()}
    readers = Counter[int]()
    for group, number in groups.items():
        readers[group.choice] += number
    choices: defaultdict[int, list[int]] = defaultdict(list)
    for choice in sorted(readers, key=lambda one: (-readers[one], one)):
        stories = selected.get(choice)
        if stories in numbers:
            choices[numbers[stories]].append(choice)
    return {number: tuple(choices[number]) for number in sorted(choices)}
