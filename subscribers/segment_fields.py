"""What a segment may ask of a reader: one table, with the words, the comparisons and the query of each field.

What readers open and click is not here, not even of those who agreed to be counted, and nothing is guessed from what
they read
(docs/decisions/0190-segments-ask-what-readers-said.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Q
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from publication import languages
from publication.formats import Format
from publication.models import Publication
from publication.translated import Translated
from subscribers.consent_sources import SOURCES
from subscribers.models import Cadence, ConsentEvent, Newsletter, Subscription, TopicChoice

# By the value that is stored; in the order in which they are offered.
Choices: TypeAlias = list[tuple[str, str]]
OF_A_YES: Final = ("form", "confirm_link", "subscribe_again", "preferences", "import", "admin")


class Op(StrEnum):
    """How a value is compared."""

    IS = "is"
    IS_NOT = "is_not"
    SINCE = "since"
    BEFORE = "before"


OPS: Final[dict[str, str | Promise]] = {
    Op.IS: _("is"),
    Op.IS_NOT: _("is not"),
    Op.SINCE: _("on or after"),
    Op.BEFORE: _("before"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """What is asked: its words, the values that it may have, and who meets it. Without `choices` the value is a day."""

    label: str | Promise
    holds: Callable[[Newsletter, Op, str], Q]
    choices: Callable[[Newsletter], Choices] | None = None

    @property
    def ops(self) -> tuple[Op, ...]:
        """The comparisons that make sense."""
        return (Op.IS, Op.IS_NOT) if self.choices else (Op.SINCE, Op.BEFORE)


def _one_of(
    label: str | Promise, query: Callable[[Newsletter, str], Q], choices: Callable[[Newsletter], Choices]
) -> Field:
    """A field with a list of values."""

    def holds(newsletter: Newsletter, op: Op, value: str) -> Q:
        given = query(newsletter, value)
        return ~given if op == Op.IS_NOT else given

    return Field(label, holds, choices)


def _cadences(newsletter: Newsletter) -> Choices:
    offered = set(newsletter.offers.values_list("cadence", flat=True))
    return [(cadence.value, str(cadence.label)) for cadence in Cadence if cadence in offered]


def _languages(_newsletter: Newsletter) -> Choices:
    return [(language, languages.name_of(language)) for language in Publication.objects.current().languages]


def _language(_newsletter: Newsletter, value: str) -> Q:
    """Who chose none has the publication's first one."""
    is_first = value == Publication.objects.current().language
    return Q(subscriber__language__in=["", value] if is_first else [value])


def _topics(_newsletter: Newsletter) -> Choices:
    return [
        (f"{kind}-{row.pk}", row.local.name)
        for kind in ("section", "tag")
        for row in _chosen(f"{kind}s").order_by("name")
    ]


def _chosen(relation: str) -> Any:
    """The sections or tags that some reader chose."""
    model: type[Translated] = TopicChoice._meta.get_field(relation).related_model  # type: ignore[assignment]  # noqa: SLF001  # Django documents _meta as public
    through = getattr(TopicChoice, relation).through
    column = relation.removesuffix("s")
    used = through.objects.filter(**{f"{column}_id": OuterRef("pk")})
    return model.objects.filter(Exists(used))  # type: ignore[attr-defined]  # a model has objects


def _topic(_newsletter: Newsletter, value: str) -> Q:
    """The choices are few and read first, so that the index of subscriptions with topics serves."""
    kind, _dash, pk = value.partition("-")
    rows = TopicChoice.objects.filter(**{f"{kind}s": pk}).values_list("pk", flat=True)
    return Q(topics__isnull=False, topics__in=list(rows))


def _formats(_newsletter: Newsletter) -> Choices:
    return [(value, str(label)) for value, label in Format.choices]


def _sources(_newsletter: Newsletter) -> Choices:
    return [(value, str(SOURCES[value])) for value in OF_A_YES]


def _source(newsletter: Newsletter, op: Op, value: str) -> Q:
    """How the yes came that allows mail: on the row that `mailable` joins, and by `consent_event_of_source`."""
    if op == Op.IS_NOT:
        return Q(consent_event__isnull=False) & ~Q(consent_event__source=value)
    return Q(
        consent_event__source=value,
        consent_event__newsletter_slug__in=[newsletter.slug, *newsletter.former_slugs],
        consent_event__kind__in=(ConsentEvent.Kind.CONFIRMED, ConsentEvent.Kind.IMPORTED),
    )


def _others(newsletter: Newsletter) -> Choices:
    rows = Newsletter.objects.exclude(pk=newsletter.pk).order_by("name").values_list("pk", "name")
    return [(str(pk), name) for pk, name in rows]


def _reads(_newsletter: Newsletter, value: str) -> Q:
    theirs = Subscription.objects.all().confirmed().filter(newsletter=int(value), subscriber=OuterRef("subscriber"))
    return Q(Exists(theirs))


def _joined(newsletter: Newsletter, op: Op, value: str) -> Q:
    """Days are those of the newsletter's time zone."""
    start = start_of(value, newsletter)
    return Q(confirmed_at__lt=start) if op == Op.BEFORE else Q(confirmed_at__gte=start)


FIELDS: Final[dict[str, Field]] = {
    "cadence": _one_of(_("How often"), lambda _newsletter, value: Q(cadence=value), _cadences),
    "language": _one_of(_("Language"), _language, _languages),
    "topic": _one_of(_("Chose the topic"), _topic, _topics),
    "format": _one_of(_("How much of each story"), lambda _newsletter, value: Q(format=value), _formats),
    "joined": Field(_("Joined"), _joined),
    "source": Field(_("Came by"), _source, _sources),
    "newsletter": _one_of(_("Also reads"), _reads, _others),
}


def named(*, newsletter: Newsletter) -> Choices:
    """The fields that have a value to choose, by name and words."""
    return [
        (name, str(field.label)) for name, field in FIELDS.items() if field.choices is None or field.choices(newsletter)
    ]


def get(name: str) -> Field | None:
    """The field of this name, if there is one."""
    return FIELDS.get(name)


def start_of(day: str, newsletter: Newsletter) -> datetime:
    """The instant at which a day begins for the newsletter. On failure: ValueError."""
    return datetime.combine(date.fromisoformat(day), time.min, ZoneInfo(newsletter.time_zone))


def is_day(value: str) -> bool:
    """Whether it is a day that somebody may mean."""
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return False
    return date(1990, 1, 1) <= day <= date(2100, 1, 1) - timedelta(days=1)


def in_words(field: Field, newsletter: Newsletter, value: str) -> str:
    """What the value is called; itself where it is offered no more."""
    if field.choices is not None:
        return dict(field.choices(newsletter)).get(value, value)
    return date_format(date.fromisoformat(value), "DATE_FORMAT") if is_day(value) else value
