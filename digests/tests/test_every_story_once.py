"""Months of readers who change their minds: each gets every story once, however it comes.

The clock is the test's. Issues are composed, approved and planned as ever; in place of the lanes, each copy is built
from what was frozen for it and read as the reader would. Then all stories of all readers are recounted from the mails.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from random import Random

import pytest

from articles.models import Article, Section
from digests import approval, composing, issue_content, rendering
from digests.models import Delivery, Issue
from digests.sending import merge, preparing
from digests.tests import multilingual
from publication.models import Publication
from subscribers import preferences, signup
from subscribers.models import Cadence, CadenceOffer, Newsletter, Subscriber, Subscription
from tests import cast

pytestmark = pytest.mark.django_db

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEGIN = datetime(2025, 1, 6, 0, 30, tzinfo=UTC)
ZONES = ["", "Europe/Berlin", "Asia/Bishkek", "Pacific/Auckland", "America/New_York", "America/Los_Angeles"]
STORY = re.compile(r"/articles/(story-\d+)/")
CADENCES = [Cadence.INSTANT, Cadence.DAILY, Cadence.WEEKLY, Cadence.MONTHLY]


class World:
    """Two newsletters that take every story, their readers, and the mails that those got."""

    def __init__(self, seed: int, readers: int) -> None:
        self.random = Random(seed)  # a test that can be repeated
        self.now = BEGIN
        self.newsletters = [self._newsletter("Morning", auto_approve=True), self._newsletter("Evening")]
        self.newsletters[1].offers.filter(cadence__in=[Cadence.INSTANT, Cadence.MONTHLY]).delete()
        self.section = Section.objects.create(name="News", slug="news")
        self.stories: dict[str, datetime] = {}
        # Reader and newsletter -> times in which mail was wanted; the last one may be open.
        self.wanted: dict[tuple[int, int], list[list[datetime | None]]] = defaultdict(list)
        self.mails: list[tuple[int, int, tuple[str, ...], datetime]] = []
        self.approvals: list[tuple[datetime, int]] = []
        self.readers = [self._reader(number) for number in range(readers)]

    def _newsletter(self, name: str, **fields: bool) -> Newsletter:
        newsletter = cast.make_newsletter(name, counts_clicks=False, time_zone="Europe/Berlin", **fields)
        offers = newsletter.offers
        offers.create(cadence=Cadence.MONTHLY, send_at=time(7), day_of_month=3)
        offers.filter(cadence=Cadence.DAILY).update(any_days=True)
        CadenceOffer.objects.filter(newsletter=newsletter).update(active_since=BEGIN - DAY)
        return newsletter

    def _reader(self, number: int) -> Subscriber:
        for newsletter in self.newsletters:
            subscription = cast.confirmed(
                f"reader-{number}@readers.example", newsletter, cadence=self._cadence(newsletter), now=self.now
            )
            self.wanted[subscription.subscriber_id, newsletter.pk].append([self.now, None])
        return subscription.subscriber

    def _cadence(self, newsletter: Newsletter) -> str:
        return self.random.choice(CADENCES if newsletter == self.newsletters[0] else CADENCES[1:3])

    # --- What happens -----------------------------------------------------

    def publish(self) -> None:
        slug = f"story-{len(self.stories) + 1}"
        Article.objects.create(
            headline=slug, slug=slug, section=self.section, state=Article.State.PUBLISHED, body_html="<p>It.</p>",
            body_sha256="0" * 64,
            first_published_at=self.now, published_at=self.now,
        )  # fmt: skip
        self.stories[slug] = self.now

    def change_a_mind(self) -> None:
        reader, newsletter = self.random.choice(self.readers), self.random.choice(self.newsletters)
        subscription = Subscription.objects.select_related("newsletter", "subscriber").get(
            subscriber=reader, newsletter=newsletter
        )
        if subscription.state != Subscription.State.CONFIRMED:
            self.come_back(subscription)
            return
        acts = [self.another_cadence] * 6 + [self.pause] * 3 + [self.resume, self.leave, self.move, self.move]
        self.random.choice(acts)(subscription)

    def another_cadence(self, subscription: Subscription) -> None:
        cadence = self._cadence(subscription.newsletter)
        days = self.random.choice(["", "", "024", "6", "135"]) if cadence == Cadence.DAILY else ""
        preferences.change_cadence(
            subscription=subscription, cadence=cadence, days=days, evidence=cast.evidence(), now=self.now
        )

    def pause(self, subscription: Subscription) -> None:
        self._wake(subscription)
        until = self.now + self.random.choice([HOUR, 2 * DAY, 9 * DAY, 40 * DAY])
        preferences.pause(subscription=subscription, until=until, now=self.now)
        self._wants(subscription)[-1][1] = self.now
        self._wants(subscription).append([until, None])

    def resume(self, subscription: Subscription) -> None:
        self._wake(subscription)
        preferences.pause(subscription=subscription, until=None, now=self.now)

    def leave(self, subscription: Subscription) -> None:
        self._wake(subscription)
        signup.unsubscribe(subscription=subscription, evidence=cast.evidence(), reason="test", now=self.now)
        self._wants(subscription)[-1][1] = self.now

    def come_back(self, subscription: Subscription) -> None:
        if self.random.random() < 0.5:
            preferences.subscribe_again(subscription=subscription, evidence=cast.evidence(), now=self.now)
        else:
            preferences.subscribe(
                subscriber=subscription.subscriber, newsletter=subscription.newsletter,
                cadence=self._cadence(subscription.newsletter), evidence=cast.evidence(), now=self.now,
            )  # fmt: skip
        self._wants(subscription).append([self.now, None])

    def move(self, subscription: Subscription) -> None:
        reader = subscription.subscriber
        preferences.choose_hours(
            subscriber=reader,
            time_zone=self.random.choice(ZONES),
            mail_hour=self.random.choice([None, None, 5, 20]),
            quiet=self.random.choice([None, (22, 7)]),
        )
        preferences.choose_language(subscriber=reader, language=self.random.choice(["en", "ru"]))

    def _wants(self, subscription: Subscription) -> list[list[datetime | None]]:
        return self.wanted[subscription.subscriber_id, subscription.newsletter_id]

    def _wake(self, subscription: Subscription) -> None:
        """A pause that is cut short, or made again, ends now."""
        last = self._wants(subscription)[-1]
        last[0] = min(last[0] or self.now, self.now)

    # --- The clock --------------------------------------------------------

    def run(self, days: int, *, stories: float, acts: float) -> None:
        for _day in range(days):
            moments: list[tuple[datetime, Callable[[], None]]] = []
            for chance, happens in ((stories, self.publish), (acts, self.change_a_mind)):
                times = int(chance) + (self.random.random() < chance % 1)
                moments += [(self.now + self.random.random() * DAY, happens) for _time in range(times)]
            # After the run of 07:00 in Berlin.
            moments.append((self.now + 6.6 * HOUR, self.tick))
            end = self.now + DAY
            for moment, happens in sorted(moments, key=lambda pair: pair[0]):
                self.to(moment)
                happens()
                if happens == self.publish:
                    self.tick()
            self.to(end)

    def to(self, moment: datetime) -> None:
        """Let the time pass: copies leave at their hour, and somebody approves."""
        waiting = Delivery.objects.filter(state=Delivery.State.DEFERRED, due_at__lte=moment).order_by("due_at")
        due: list[tuple[datetime, int | None]] = [
            (at, None) for at in waiting.values_list("due_at", flat=True).distinct() if at
        ]
        due += [(at, issue) for at, issue in self.approvals if at <= moment]
        self.approvals = [one for one in self.approvals if one[0] > moment]
        for at, issue in sorted(due, key=lambda pair: pair[0]):
            self.now = at
            if issue is not None:
                self.approve(issue)
            self.deliver()
        self.now = moment

    def tick(self) -> None:
        if self.now - max(self.stories.values(), default=self.now) > DAY and self.now.weekday() and self.now.day != 3:
            return  # there is nothing for a daily digest, and no other is due
        for issue in composing.compose_due(now=self.now):
            if issue.state == Issue.State.DRAFT:
                self.approvals.append((self.now + self.random.choice([0, 0.2, 2, 5]) * HOUR, issue.pk))
            else:
                self.send(issue.pk)

    def approve(self, issue: int) -> None:
        approval.approve(issue=Issue.objects.get(pk=issue), actor=None, now=self.now)
        self.send(issue)

    def send(self, issue: int) -> None:
        if preparing.prepare(issue_id=issue, now=self.now):
            for instead in preparing.begin_in_its_place(issue_id=issue, now=self.now):
                assert preparing.prepare(issue_id=instead, now=self.now)
            self.deliver()

    def deliver(self) -> None:
        """What lanes do, without a server: who may still be mailed gets the copy, as it was frozen for this reader."""
        leaving = Delivery.objects.filter(state=Delivery.State.PENDING) | Delivery.objects.filter(
            state=Delivery.State.DEFERRED, due_at__lte=self.now
        )
        by_issue: dict[int, list[Delivery]] = defaultdict(list)
        for copy in leaving.select_related("subscriber"):
            by_issue[copy.issue_id].append(copy)
        for pk, copies in by_issue.items():
            issue = Issue.objects.select_related("newsletter", "snapshot", "instead_of").get(pk=pk)
            eligible = set(issue.eligible(now=self.now).values_list("subscriber", flat=True))
            mailed = [copy for copy in copies if copy.subscriber_id in eligible]
            taken = Delivery.objects.filter(pk__in=[copy.pk for copy in mailed])
            taken.update(state=Delivery.State.ACCEPTED, due_at=None)
            rest = Delivery.objects.filter(pk__in=[copy.pk for copy in copies], state__in=Delivery.OPEN)
            rest.update(state=Delivery.State.SUPPRESSED, due_at=None)
            merger = merge.Merger(issue, needs="payload")
            for copy in mailed:
                self._read(issue, merger, copy)

    def _read(self, issue: Issue, merger: merge.Merger, copy: Delivery) -> None:
        reader = copy.subscriber
        assert reader is not None
        row = merge.Row(copy.pk, str(copy.uuid), str(reader.uuid), reader.address, "", 1, copy.variant)
        built, broken = merger.copies(rows=[row])
        assert not broken
        assert built[0].payload
        text = built[0].payload.decode().replace("=\r\n", "").partition("text/html")[0]
        stories = tuple(dict.fromkeys(STORY.findall(text)))
        assert stories
        self.mails.append((reader.pk, issue.newsletter_id, stories, self.now))

    def settle(self) -> None:
        """Everybody wants everything daily from now on, and gets it."""
        for subscription in Subscription.objects.select_related("newsletter", "subscriber"):
            if subscription.state != Subscription.State.CONFIRMED:
                self.come_back(subscription)
                subscription.refresh_from_db()
            self.resume(subscription)
            preferences.change_cadence(
                subscription=subscription, cadence=Cadence.DAILY, evidence=cast.evidence(), now=self.now
            )
        self.publish()
        self.run(3, stories=0, acts=0)

    # --- The count --------------------------------------------------------

    def faults(self) -> list[str]:
        had: Counter[tuple[int, int, str]] = Counter()
        for reader, newsletter, stories, _at in self.mails:
            had.update((reader, newsletter, story) for story in stories)
        twice = [f"{key} came {times} times" for key, times in had.items() if times > 1]
        never = [
            f"{reader, newsletter, story} never came"
            for (reader, newsletter), times in self.wanted.items()
            for story, at in self.stories.items()
            if any(begin <= at and (end is None or at < end) for begin, end in times if begin)
            and not had[reader, newsletter, story]
        ]
        return twice + never


@pytest.fixture(autouse=True)
def _plain_mails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mails without a layout, which takes ten times as long as all else here."""

    def write(*, content: issue_content.IssueContent) -> rendering.RenderedIssue:
        text = "\n".join([*(story.url for story in content.stories), "%%unsubscribe_url%% %%preferences_url%%"])
        return rendering.RenderedIssue(subject="Today", preheader="", html=f"<p>{text}</p>", text=text)

    monkeypatch.setattr(rendering, "write", write)


@pytest.mark.parametrize("seed", [1])
def test_each_reader_gets_each_story_once_however_minds_change(
    seed: int, publication: Publication, texts: object
) -> None:
    multilingual.speak("ru")
    world = World(seed, readers=5)
    world.run(75, stories=0.3, acts=1.5)
    world.settle()
    assert not (faults := world.faults()), (len(faults), faults[:5])
