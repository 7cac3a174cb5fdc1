"""What the preference page shows of each newsletter: what the reader has, then what else is offered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

from publication.models import Publication
from subscribers import cadence_options, cadences, topics
from subscribers.models import Cadence, CadenceOffer, Newsletter, Subscriber, Subscription, Weekday
from subscribers.topics import Catalogue, Topic

# How many mails a week newsletters bring: a call with `newsletters` and `now` gives it by newsletter id and cadence.
Measure: TypeAlias = Callable[..., Mapping[tuple[int, str], float]]


@dataclass(frozen=True, slots=True)
class Choice:
    """One cadence. `a_week` is about how many mails it brings; None: too new to say."""

    value: str
    name: str
    in_words: str
    a_week: float | None
    # Readers may choose the weekdays on which it comes.
    any_days: bool = False


@dataclass(frozen=True, slots=True)
class TopicOption:
    """One topic of a newsletter, and whether the reader chose it."""

    topic: Topic
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One newsletter on the page, subscribed or not."""

    newsletter: Newsletter
    choices: tuple[Choice, ...]
    subscription: Subscription | None
    cadence: str
    # The day, in the newsletter's time zone, when mail begins again; None while nothing is paused.
    resumes_on: date | None = None
    # As a date field has it, or as it was typed.
    paused_until: str = ""
    # The weekdays of a daily digest, as digits; empty: each day.
    days: str = ""
    # None chosen: everything comes.
    topics: tuple[TopicOption, ...] = ()
    format: str = ""
    # The field to mend: "cadence", "pause", "topics", "format" or "consent".
    fault: str = ""

    @property
    def is_subscribed(self) -> bool:
        """Whether the reader receives this newsletter, if only after a pause."""
        return self.subscription is not None

    @property
    def chosen_topics(self) -> tuple[Topic, ...]:
        """Whose stories come; empty: all."""
        return tuple(one.topic for one in self.topics if one.is_chosen)

    @property
    def weekdays(self) -> list[tuple[str, str, bool]]:
        """All days of the week as (digit, name, whether it is chosen)."""
        return [(str(day.value), str(day.label), str(day.value) in self.days) for day in Weekday]

    @property
    def days_in_words(self) -> str:
        """“Monday, Wednesday”; empty for each day."""
        return ", ".join(name for _digit, name, is_chosen in self.weekdays if is_chosen)

    @property
    def a_week(self) -> float | None:
        """About how many mails come on the chosen days: one at most on each."""
        number = self.chosen.a_week if self.chosen else None
        return number if number is None or not self.days else min(number, len(self.days))

    @property
    def chosen(self) -> Choice | None:
        """How it comes now; None when that cadence is offered no more."""
        return next((choice for choice in self.choices if choice.value == self.cadence), None)


def of(*, subscriber: Subscriber, a_week: Measure, catalogue: Catalogue, now: datetime) -> list[Row]:
    """The rows of one reader. The number of queries is the same for every number of newsletters."""
    rows = subscriber.subscriptions.confirmed().select_related("newsletter")
    confirmed = list(rows.order_by("newsletter__position", "pk"))
    have = {row.newsletter_id for row in confirmed}
    others = [offer for offer in cadence_options.offered() if offer.newsletter.pk not in have]
    newsletters = [*(row.newsletter for row in confirmed), *(offer.newsletter for offer in others)]
    choices = _choices(newsletters, a_week, now)
    options = _topics(confirmed, catalogue)
    default = Publication.objects.current().mail_format
    mine = (_subscribed(row, choices.get(row.newsletter_id, ()), now) for row in confirmed)
    return [
        *(
            replace(row, topics=options[row.newsletter.pk], format=subscription.format or default)
            for row, subscription in zip(mine, confirmed, strict=True)
        ),
        *(Row(offer.newsletter, choices.get(offer.newsletter.pk, ()), None, offer.default) for offer in others),
    ]


def _topics(subscriptions: Sequence[Subscription], catalogue: Catalogue) -> dict[int, tuple[TopicOption, ...]]:
    chosen = topics.values({row.topics_id for row in subscriptions if row.topics_id})
    offered = catalogue(subscriptions=subscriptions)
    return {
        row.newsletter_id: tuple(
            TopicOption(topic, topic.value in chosen.get(row.topics_id or 0, ()))
            for topic in offered[row.newsletter_id]
        )
        for row in subscriptions
    }


def _subscribed(row: Subscription, choices: tuple[Choice, ...], now: datetime) -> Row:
    if row.paused_until is None or row.paused_until <= now:
        return Row(row.newsletter, choices, row, row.cadence, days=row.days)
    day = row.paused_until.astimezone(ZoneInfo(row.newsletter.time_zone)).date()
    shown = Row(row.newsletter, choices, row, row.cadence, days=row.days)
    return replace(shown, resumes_on=day, paused_until=day.isoformat())


def _choices(newsletters: list[Newsletter], a_week: Measure, now: datetime) -> dict[int, tuple[Choice, ...]]:
    mails = a_week(newsletters=newsletters, now=now)
    offers = CadenceOffer.objects.filter(is_active=True, newsletter__in=newsletters).select_related("newsletter")
    choices: dict[int, tuple[Choice, ...]] = {}
    for offer in offers.order_by(cadences.in_order()):
        number = mails.get((offer.newsletter_id, offer.cadence))
        name, any_days = str(offer.get_cadence_display()), offer.any_days and offer.cadence == Cadence.DAILY
        choice = Choice(offer.cadence, name, offer.in_words(), number, any_days)
        choices[offer.newsletter_id] = (*choices.get(offer.newsletter_id, ()), choice)
    return choices
