"""The texts of an issue in an editor's words: language, topics and format, as far as its texts differ in them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from digests import readership, topics, variants
from digests.models import Issue, Snapshot
from digests.readership import Readership
from digests.variant_keys import WITHOUT, VariantKey
from publication import languages
from subscribers.topics import Topic


@dataclass(frozen=True, slots=True)
class Named:
    """A text of an issue and how many readers get it; None: that is not counted yet."""

    key: str
    name: str
    readers: int | None = None

    @property
    def is_mail(self) -> bool:
        """Whether its readers get a copy."""
        return self.key != WITHOUT


def of(*, issue: Issue, keys: Collection[str], choices: Mapping[int, Sequence[int]]) -> dict[str, str]:
    """What each key is called, in the order in which they are shown: all stories first, nothing last."""
    parsed = {key: VariantKey.parse(key) for key in keys if key != WITHOUT}
    order = ["", *languages.further()]
    # A language that the publication has given up since stays at the end.
    place = {language: number for number, language in enumerate(order)}
    ordered = sorted(
        parsed,
        key=lambda key: (
            parsed[key].topics, parsed[key].reading, parsed[key].amended,
            place.get(parsed[key].language, len(order)), key,
        ),
    )  # fmt: skip
    own = variants.own_language(newsletter=issue.newsletter)
    have = [parsed[key] for key in ordered]
    speaks, chooses = any(key.language for key in have), any(key.topics for key in have)
    called = topics.named(choices={one for some in choices.values() for one in some[:1]})
    names = {}
    for key in ordered:
        language, number, reading, amended = parsed[key]
        parts = [languages.name_of(language or own)] if speaks else []
        if number:
            parts.append(_topics(choices.get(number, ()), called))
        elif chooses or not speaks:
            parts.append(_("all stories"))
        parts += [_("headlines only")] if reading else []
        parts += [_("with corrections (%(number)d)") % {"number": amended}] if amended else []
        names[key] = " · ".join(parts)
    return names | ({WITHOUT: _("no story on their topics, so no mail")} if WITHOUT in keys else {})


def looked_at(*, issue: Issue, now: datetime) -> list[Named]:
    """The texts at which one may look; none for the issue's own alone.

    Before it is frozen these are the ones that it would have, and each language that readers may have.
    """
    frozen = Snapshot.objects.filter(issue=issue).only("audience_rule").first()
    if frozen is not None:
        return _named(issue, ["", *frozen.keys], readership.Rule.of(snapshot=frozen).choices, {})
    read = readership.of(issue=issue, now=now)
    keys = dict.fromkeys(["", *variants.offered(issue=issue), *(str(text.key) for text in read.texts)])
    return _named(issue, keys, read.rule.choices, readers(read))


def forecast(*, issue: Issue, read: Readership) -> list[Named]:
    """The texts that the issue will have and their readers, those who get none included; none for its own alone."""
    numbers = readers(read)
    return _named(issue, [key for key, number in numbers.items() if number], read.rule.choices, numbers)


def readers(read: Readership) -> dict[str, int]:
    """How many readers each key has; nothing if all get the issue's own text."""
    if not read.texts and not read.without:
        return {}
    return {"": read.own, **{str(text.key): text.readers for text in read.texts}, WITHOUT: read.without}


def _named(
    issue: Issue, keys: Iterable[str], choices: Mapping[int, Sequence[int]], numbers: Mapping[str, int]
) -> list[Named]:
    some = list(keys)
    if some in ([], [""]):
        return []
    names = of(issue=issue, keys=some, choices=choices)
    return [Named(key, name, numbers.get(key)) for key, name in names.items()]


def _topics(choices: Sequence[int], called: Mapping[int, Sequence[Topic]]) -> str:
    """The topics of the choice that most readers made; others select the same stories of this issue."""
    first = ", ".join(topic.name for topic in called.get(choices[0], ())) if choices else ""
    words = first or _("topics that are gone")
    if len(choices) < 2:
        return words
    others = ngettext(
        "%(words)s (and %(count)d like choice)", "%(words)s (and %(count)d like choices)", len(choices) - 1
    )
    return others % {"words": words, "count": len(choices) - 1}
