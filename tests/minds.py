"""A newsroom whose readers change their minds, by the product's own verbs, and a journal of it for `tests.recount`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime, time, timedelta
from random import Random
from typing import Any

from django.db import transaction

from articles import publishing
from articles.models import Article, Section, Tag
from digests import approval, composing, issue_content, rendering
from digests.models import Delivery, Issue
from digests.sending import preparing
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
        self.readers = self._readers(readers)
        self.evidence = cast.evidence()

    def _newsletter(self, name: str, **fields: bool) -> Newsletter:
        newsletter = cast.make_newsletter(name, counts_clicks=False, time_zone="Europe/Berlin", **fields)
        newsletter.offers.create(cadence=Cadence.MONTHLY, send_at=time(7), day_of_month=3)
        newsletter.offers.filter(cadence=Cadence.DAILY).update(any_days=True)
        CadenceOffer.objects.filter(newsletter=newsletter).update(active_since=self.now - DAY)
        newsletter.topic_tags.set(Tag.objects.all())
        return newsletter

    def _readers(self, number: int) -> list[Subscriber]:
        """They read both newsletters, each at some cadence."""
        addresses_ = [f"reader-{place}@readers.example" for place in range(number)]
        for newsletter in self.newsletters:
            wishes = {address: self._cadence(newsletter) for address in addresses_}
            for cadence in CADENCES:
                some = [address for address, wish in wishes.items() if wish == cadence]
                rows = cast.import_readers(*some, newsletter=newsletter, cadence=cadence, at=self.now) if some else []
                for row in rows:
                    self.note_wish(row, subscribed=True, cadence=cadence)
        readers = list(Subscriber.objects.filter(address__in=addresses_).order_by("pk"))
        for reader in readers:
            self.note("address", reader=str(reader.pk), address=reader.address)
        return readers

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
            subscription=subscription, cadence=wanted, days=days, evidence=self.evidence, now=self.now
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
        signup.unsubscribe(subscription=subscription, evidence=self.evidence, reason="test", now=self.now)
        self.note_wish(subscription, subscribed=False, paused_until=None)

    def come_back(self, subscription: Subscription) -> None:
        if self.random.random() < 0.5:
            preferences.subscribe_again(subscription=subscription, evidence=self.evidence, now=self.now)
        else:
            preferences.subscribe(
                subscriber=subscription.subscriber, newsletter=subscription.newsletter,
                cadence=self._cadence(subscription.newsletter), evidence=self.evidence, now=self.now,
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
            address_change.agree(token=token, evidence=self.evidence, now=self.now)
        self.note("address", reader=str(reader.pk), address=new.address)

    # --- The clock --------------------------------------------------------

    def run(self, days: int, *, stories: float, acts: float) -> None:
        for _day in range(days):
            moments: list[tuple[datetime, Callable[[], None]]] = []
            for chance, happens in ((stories, self.publish), (acts, self.change_a_mind)):
                times = int(chance) + (self.random.random() < chance % 1)
                moments += [(self._moment(), happens) for _time in range(times)]
            # After the run of 07:00 in Berlin.
            moments.append((self.now + 6.6 * HOUR, self.tick))
            end = self.now + DAY
            for moment, happens in sorted(moments, key=lambda pair: pair[0]):
                self.to(moment)
                happens()
                if happens == self.publish:
                    self.after(self.random.choice([0, 0, 0, 60]) * SECOND, self.tick)
            self.to(end)

    def _moment(self) -> datetime:
        """Some time of the day, or within seconds of the end of a window, or of the minute in which it is composed."""
        edge = self.random.choice([4.5, 5.5, 6.6]) * HOUR + self.random.uniform(-3, 3) * SECOND
        return self.now + self.random.choice([edge, self.random.random() * DAY])

    def to(self, moment: datetime) -> None:
        """Let the time pass: copies leave at their hour, and what was to happen later happens."""
        while True:
            waiting = (
                Delivery.objects.under_way()
                .filter(state=Delivery.State.DEFERRED, due_at__lte=moment)
                .order_by("due_at")
            )
            due = [(at, self.deliver) for at in waiting.values_list("due_at", flat=True)[:1] if at]
            due += [(at, act) for at, act in self.later if at <= moment]
            if not due:
                break
            at, act = min(due, key=lambda pair: pair[0])
            self.later = [one for one in self.later if one != (at, act)]
            self.now = max(self.now, at)
            act()
        self.now = moment

    def tick(self) -> None:
        for issue in composing.compose_due(now=self.now):
            if issue.state == Issue.State.DRAFT:
                self.after(self.random.choice([0, 0.2, 2, 5]) * HOUR, functools.partial(self.approve, issue.pk))
            else:
                self.send(issue.pk)

    def approve(self, pk: int) -> None:
        issue = Issue.objects.get(pk=pk)
        if not issue.items.public().exists():
            approval.cancel(issue=issue, reason="Nothing is left of it.", actor=None, now=self.now)
            return
        approval.approve(issue=issue, actor=None, now=self.now)
        self.send(pk)

    def send(self, pk: int) -> None:
        if preparing.prepare(issue_id=pk, now=self.now):
            self.count(pk)
            for instead in preparing.begin_in_its_place(issue_id=pk, now=self.now):
                assert preparing.prepare(issue_id=instead, now=self.now)
                self.count(instead)
            self.deliver()

    def count(self, pk: int) -> None:
        issue = Issue.objects.select_related("newsletter").get(pk=pk)
        slug, until = issue.newsletter.slug, issue.window_end or self.now
        self.note("count", issue=pk, newsletter=slug, cadence=issue.cadence, until=until)

    def deliver(self) -> None:
        """Let leave what may leave now."""
        raise NotImplementedError

    def settle(self) -> None:
        """Everybody wants everything daily from now on, and gets it."""
        for row in Subscription.objects.select_related("newsletter", "subscriber"):
            if row.state != Subscription.State.CONFIRMED:
                self.come_back(row)
                row.refresh_from_db()
            self.resume(row)
            self.another_cadence(row, Cadence.DAILY)
        self.publish()
        self.run(4, stories=0.5, acts=0)


def write(*, content: issue_content.IssueContent) -> rendering.RenderedIssue:
    """A mail without a layout, which takes ten times as long as all else: in place of `rendering.write`."""
    shape = f"A mail of {'full' if content.in_full else 'headlines'} in {content.words['language']}"
    text = "\n".join([shape, *(story.url for story in content.stories), "%%unsubscribe_url%% %%preferences_url%%"])
    return rendering.RenderedIssue(subject="Today", preheader="", html=f"<p>{text}</p>", text=text)
