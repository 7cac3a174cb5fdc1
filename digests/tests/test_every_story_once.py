"""Weeks of readers who change their minds: each gets every story once, however it comes.

The clock is the test's. Issues are composed, approved and planned as ever; in place of the lanes, each copy is built
from what was frozen for it and read as the reader would. Then `tests.recount` counts all stories of all readers. A year
of 2,000 readers over SMTP is `bin/bench year_of_readers`.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from digests import approval, composing, issue_content, rendering
from digests.issue_reasons import IssueReason
from digests.models import Delivery, Issue
from digests.sending import attempts, closing, merge, preparing
from publication.models import Publication
from subscribers.models import Cadence, Subscription
from tests import minds, recount
from tests.minds import DAY, HOUR, SECOND

pytestmark = pytest.mark.django_db

# The clocks of Berlin and New York change in these weeks, on different days.
BEGIN = datetime(2025, 3, 8, 0, 30, tzinfo=UTC)
STORY = re.compile(r"/articles/(story-\d+)")
SHAPE = re.compile(r"A mail of (full|headlines) in (\w\w)")


class World(minds.Newsroom):
    """The newsroom and its clock, and the mails that its readers got."""

    def __init__(self, seed: int, readers: int) -> None:
        super().__init__(seed=seed, begin=BEGIN, readers=readers)
        self.mails: list[recount.Mail] = []

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
                if happens == self.publish and self.random.random() < 0.8:
                    self.tick()
            self.to(end)

    def _moment(self) -> datetime:
        """Some time of the day, or within seconds of the end of a window, or of the minute in which it is composed."""
        edge = self.random.choice([4.5, 5.5, 6.6]) * HOUR + self.random.uniform(-3, 3) * SECOND
        return self.now + self.random.choice([edge, self.random.random() * DAY])

    def to(self, moment: datetime) -> None:
        """Let the time pass: copies leave at their hour, and what was to happen later happens."""
        while True:
            waiting = Delivery.objects.filter(state=Delivery.State.DEFERRED, due_at__lte=moment).order_by("due_at")
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
        """What lanes do, without a server: who may still be mailed gets the copy, as it was frozen for this reader."""
        leaving = Delivery.objects.filter(state=Delivery.State.PENDING) | Delivery.objects.filter(
            state=Delivery.State.DEFERRED, due_at__lte=self.now
        )
        by_issue: dict[int, list[Delivery]] = defaultdict(list)
        for copy in leaving.select_related("subscriber"):
            by_issue[copy.issue_id].append(copy)
        for pk, copies in by_issue.items():
            if attempts.withdrawn_story(issue_id=pk) is not None:
                late = Issue.objects.filter(pk=pk)
                late.update(state=Issue.State.CANCELLED, state_reason=IssueReason.STORY_WITHDRAWN_LATE)
                closing.sweep_cancelled(issue_id=pk)
            else:
                self._hand_over(pk, copies)

    def _hand_over(self, pk: int, copies: list[Delivery]) -> None:
        issue = Issue.objects.select_related("newsletter", "snapshot", "instead_of").get(pk=pk)
        eligible = set(issue.eligible(now=self.now).values_list("subscriber", flat=True))
        mailed = [copy for copy in copies if copy.subscriber_id in eligible]
        taken = Delivery.objects.filter(pk__in=[copy.pk for copy in mailed])
        taken.update(state=Delivery.State.ACCEPTED, due_at=None)
        rest = Delivery.objects.filter(pk__in=[copy.pk for copy in copies], state__in=Delivery.OPEN)
        rest.update(state=Delivery.State.SUPPRESSED, due_at=None)
        merger = merge.Merger(issue, needs="payload")
        self.mails += [self._read(issue, merger, copy) for copy in mailed]

    def _read(self, issue: Issue, merger: merge.Merger, copy: Delivery) -> recount.Mail:
        reader = copy.subscriber
        assert reader is not None
        row = merge.Row(copy.pk, str(copy.uuid), str(reader.uuid), reader.address, "", 1, copy.variant)
        built, broken = merger.copies(rows=[row])
        assert not broken
        assert built[0].payload
        text = built[0].payload.decode().replace("=\r\n", "").partition("text/html")[0]
        stories, shape = tuple(dict.fromkeys(STORY.findall(text))), SHAPE.search(text)
        assert stories
        assert shape
        return recount.Mail(str(reader.pk), issue.newsletter.slug, issue.pk, self.now, stories, *shape.groups())

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


@pytest.fixture(autouse=True)
def _plain_mails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mails without a layout, which takes ten times as long as all else here."""

    def write(*, content: issue_content.IssueContent) -> rendering.RenderedIssue:
        shape = f"A mail of {'full' if content.in_full else 'headlines'} in {content.words['language']}"
        slots = "%%unsubscribe_url%% %%preferences_url%%"
        text = "\n".join([shape, *(story.url for story in content.stories), slots])
        return rendering.RenderedIssue(subject="Today", preheader="", html=f"<p>{text}</p>", text=text)

    monkeypatch.setattr(rendering, "write", write)


@pytest.mark.parametrize("seed", [1])
def test_each_reader_gets_each_story_once_however_minds_change(
    seed: int, publication: Publication, texts: object
) -> None:
    world = World(seed, readers=5)
    world.run(25, stories=0.4, acts=3)
    world.settle()
    broken = list(recount.faults(journal=recount.Journal(world.journal), mails=world.mails))
    assert not broken, (len(broken), broken[:25])
