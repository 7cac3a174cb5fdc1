"""A newsroom whose readers change their minds, by the product's own verbs, and a journal of it for `tests.recount`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from random import Random
from typing import Any

from django.db import transaction

from articles import publishing
from articles.models import Article, Section, Tag
from digests.tests import multilingual
from mailkit import addresses
from publication.models import TIME_ZONES
from subscribers import address_change, links, preferences, signup
from subscribers.models import AddressChange, Cadence, CadenceOffer, Newsletter, Subscriber, Subscription
from tests import cast

HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
ZONES = ["", "Europe/Berlin", "Asia/Bishkek", "Pacific/Auckland", "America/New_York", "America/Los_Angeles"]
CADENCES = [Cadence.INSTANT, Cadence.DAILY, Cadence.WEEKLY, Cadence.MONTHLY]
SECTIONS, TAGS = ("news", "sport", "culture"), ("climate", "elections")


class Newsroom:
    """Two newsletters and their readers: Morning takes every story, Evening those of two sections."""

    def __init__(self, *, seed: int, begin: datetime, readers: int) -> None:
        self.random = Random(seed)  # it can be repeated
        self.now = begin
        self.journal: list[dict[str, Any]] = []
        for place, name in enumerate(SECTIONS):
            Section.objects.create(name=name.title(), slug=name, position=place)
        for name in TAGS:
            Tag.objects.create(name=name.title(), slug=name)
        multilingual.speak("ru")
        self.newsletters = [self._newsletter("Morning", auto_approve=True), self._newsletter("Evening")]
        self.newsletters[1].sections.set(Section.objects.filter(slug__in=SECTIONS[:2]))
        self.newsletters[1].offers.filter(cadence__in=[Cadence.INSTANT, Cadence.MONTHLY]).delete()
        self.topics = [*(f"section-{one.pk}" for one in Section.objects.all())]
        self.topics += [f"tag-{one.pk}" for one in Tag.objects.all()]
        self.stories = 0
        self.later: list[tuple[datetime, Callable[[], None]]] = []
        self.readers = [self._reader(number) for number in range(readers)]

    def _newsletter(self, name: str, **fields: bool) -> Newsletter:
        newsletter = cast.make_newsletter(name, counts_clicks=False, time_zone="Europe/Berlin", **fields)
        newsletter.offers.create(cadence=Cadence.MONTHLY, send_at=time(7), day_of_month=3)
        newsletter.offers.filter(cadence=Cadence.DAILY).update(any_days=True)
        CadenceOffer.objects.filter(newsletter=newsletter).update(active_since=self.now - DAY)
        newsletter.topic_tags.set(Tag.objects.all())
        return newsletter

    def _reader(self, number: int) -> Subscriber:
        for newsletter in self.newsletters:
            cadence = self._cadence(newsletter)
            one = cast.confirmed(f"reader-{number}@readers.example", newsletter, cadence=cadence, now=self.now)
            self.note_wish(one, subscribed=True, cadence=cadence)
        self.note("address", reader=str(one.subscriber_id), address=one.subscriber.address)
        return one.subscriber

    def _cadence(self, newsletter: Newsletter) -> str:
        return self.random.choice(CADENCES if newsletter == self.newsletters[0] else CADENCES[1:3])

    # --- The journal ------------------------------------------------------

    def note(self, what: str, **values: Any) -> None:
        self.journal.append({"what": what, "at": self.now, **values})

    def note_wish(self, subscription: Subscription, **changes: Any) -> None:
        reader = str(subscription.subscriber_id)
        self.note("reader", reader=reader, newsletter=subscription.newsletter.slug, **changes)

    # --- Stories ----------------------------------------------------------

    def publish(self) -> None:
        """A story comes out; it may be withdrawn soon, come back, get other labels, or a translation."""
        self.stories += 1
        name = f"story-{self.stories}"
        section = Section.objects.get(slug=self.random.choice(SECTIONS))
        age = self.random.choice([None, None, None, 3 * DAY, 30 * DAY])
        story = Article.objects.create(
            headline=name,
            slug=name,
            section=section,
            body_markdown="It.",
            published_at=self.now - age if age else None,
        )
        self._label(story)
        publishing.publish(article=story, actor=None, now=self.now)
        came_out = story.first_published_at or self.now
        takes = [one.slug for one in self.newsletters if section.slug != SECTIONS[2] or one == self.newsletters[0]]
        self.journal.append(
            {"what": "story", "at": came_out, "story": name, "topics": self._topics(story), "newsletters": takes,
             "old": age is not None and age > 7 * DAY}
        )  # fmt: skip
        fate = self.random.random()
        if fate < 0.12:
            self.after(self._soon(), lambda: self.withdraw(story))
        elif fate < 0.3:
            self.after(self._soon(), lambda: self.label_again(story))
        elif fate < 0.5:
            self.after(self._soon(), lambda: self.translate(story))

    def _soon(self) -> timedelta:
        return self.random.choice([20 * SECOND, HOUR, 20 * HOUR, 40 * HOUR])

    def after(self, span: timedelta, act: Callable[[], None]) -> None:
        self.later.append((self.now + span, act))

    def withdraw(self, story: Article) -> None:
        publishing.withdraw(article=story, reason="A mistake.", actor=None, now=self.now)
        self.note("withdrawn", story=story.slug)
        if self.random.random() < 0.7:
            self.after(self._soon(), lambda: self.bring_back(story))

    def bring_back(self, story: Article) -> None:
        publishing.publish(article=story, actor=None, now=self.now)
        self.note("returned", story=story.slug)
        self.journal[-1]["at"] = story.republished_at

    def label_again(self, story: Article) -> None:
        self._label(story)
        self.note("labelled", story=story.slug, topics=self._topics(story))

    def translate(self, story: Article) -> None:
        multilingual.translate(story, "ru", f"{story.slug}-ru", self.now)

    def _label(self, story: Article) -> None:
        story.tags.set(Tag.objects.filter(slug__in=self.random.sample(TAGS, self.random.choice([0, 0, 1, 2]))))

    def _topics(self, story: Article) -> list[str]:
        return [f"section-{story.section_id}", *(f"tag-{one.pk}" for one in story.tags.all())]

    # --- Readers ----------------------------------------------------------

    def change_a_mind(self) -> None:
        reader, newsletter = self.random.choice(self.readers), self.random.choice(self.newsletters)
        self.act(self.subscription(reader, newsletter))

    def subscription(self, reader: Subscriber, newsletter: Newsletter) -> Subscription:
        rows = Subscription.objects.select_related("newsletter", "subscriber")
        return rows.get(subscriber=reader, newsletter=newsletter)

    def act(self, subscription: Subscription) -> None:
        if subscription.state != Subscription.State.CONFIRMED:
            self.come_back(subscription)
            return
        acts = [self.another_cadence] * 4 + [self.choose] * 4 + [self.pause] * 3
        self.random.choice([*acts, self.resume, self.leave, self.move, self.move, self.rename])(subscription)

    def another_cadence(self, subscription: Subscription, cadence: str = "") -> None:
        wanted = cadence or self._cadence(subscription.newsletter)
        days = self.random.choice(["", "", "024", "6", "135"]) if wanted == Cadence.DAILY and not cadence else ""
        preferences.change_cadence(
            subscription=subscription, cadence=wanted, days=days, evidence=cast.evidence(), now=self.now
        )
        self.note_wish(subscription, cadence=wanted, days=days)

    def choose(self, subscription: Subscription) -> None:
        chosen = self.random.sample(self.topics, self.random.choice([0, 1, 1, 2, 3]))
        reading = self.random.choice(["", "full", "headlines"])
        with transaction.atomic():
            preferences.choose_content(subscription=subscription, chosen=chosen, format=reading, now=self.now)
        self.note_wish(subscription, topics=chosen, format=reading)

    def pause(self, subscription: Subscription) -> None:
        until = self.now + self.random.choice([HOUR, 2 * DAY, 9 * DAY, 40 * DAY])
        preferences.pause(subscription=subscription, until=until, now=self.now)
        self.note_wish(subscription, paused_until=until)

    def resume(self, subscription: Subscription) -> None:
        preferences.pause(subscription=subscription, until=None, now=self.now)
        self.note_wish(subscription, paused_until=None)

    def leave(self, subscription: Subscription) -> None:
        signup.unsubscribe(subscription=subscription, evidence=cast.evidence(), reason="test", now=self.now)
        self.note_wish(subscription, subscribed=False, paused_until=None)

    def come_back(self, subscription: Subscription) -> None:
        if self.random.random() < 0.5:
            preferences.subscribe_again(subscription=subscription, evidence=cast.evidence(), now=self.now)
        else:
            preferences.subscribe(
                subscriber=subscription.subscriber, newsletter=subscription.newsletter,
                cadence=self._cadence(subscription.newsletter), evidence=cast.evidence(), now=self.now,
            )  # fmt: skip
        subscription.refresh_from_db()
        self.note_wish(subscription, subscribed=True, cadence=subscription.cadence, days=subscription.days)

    def move(self, subscription: Subscription) -> None:
        """Another zone, other hours and another language, which hold for both newsletters."""
        reader, language = subscription.subscriber, self.random.choice(["en", "ru"])
        preferences.choose_hours(
            subscriber=reader,
            time_zone=self.random.choice([*ZONES, self.random.choice(sorted(TIME_ZONES))]),
            mail_hour=self.random.choice([None, None, 5, 20]),
            quiet=self.random.choice([None, (22, 7)]),
        )
        preferences.choose_language(subscriber=reader, language=language)
        for one in self.newsletters:
            self.note_wish(self.subscription(reader, one), language=language)

    def rename(self, subscription: Subscription) -> None:
        """Another address: both mailboxes agree."""
        reader = Subscriber.objects.get(pk=subscription.subscriber_id)
        new = addresses.normalise(f"moved-{len(self.journal)}@readers.example")
        address_change.ask(subscriber=reader, address=new, now=self.now)
        change = AddressChange.objects.get(subscriber=reader)
        for end in address_change.AGREED_AT:
            token = links.address_url(change=change, end=end).split("/")[-2]
            address_change.agree(token=token, evidence=cast.evidence(), now=self.now)
        self.note("address", reader=str(reader.pk), address=new.address)
