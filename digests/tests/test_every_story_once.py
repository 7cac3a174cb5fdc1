"""Weeks of readers who change their minds: each gets every story once, however it comes.

The clock is the test's. Issues are composed, approved and planned as ever; in place of the lanes, each copy is built
from what was frozen for it and read as the reader would. Then `tests.recount` counts all stories of all readers. A year
of 2,000 readers over SMTP is `bin/bench year_of_readers`.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

import pytest

from digests import rendering
from digests.issue_reasons import IssueReason
from digests.models import Delivery, Issue
from digests.sending import attempts, closing, merge
from publication.models import Publication
from subscribers.models import Cadence
from tests import minds, recount
from tests.minds import DAY, HOUR

pytestmark = pytest.mark.django_db

# The clocks of Berlin and New York change in these weeks, on different days.
BEGIN = datetime(2025, 3, 8, 0, 30, tzinfo=UTC)


class World(minds.Newsroom):
    """The newsroom and its clock, and the mails that its readers got."""

    def __init__(self, seed: int, readers: int) -> None:
        self.mails: list[recount.Mail] = []
        super().__init__(seed=seed, begin=BEGIN, readers=readers)

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
        stories, reading, language = recount.read(built[0].payload.decode())
        return recount.Mail(str(reader.pk), issue.newsletter.slug, issue.pk, self.now, stories, reading, language)


@pytest.fixture(autouse=True)
def _plain_mails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mails without a layout, which takes ten times as long as all else here."""

    monkeypatch.setattr(rendering, "write", minds.write)


@pytest.mark.parametrize("seed", [1])
def test_each_reader_gets_each_story_once_however_minds_change(
    seed: int, publication: Publication, texts: object
) -> None:
    world = World(seed, readers=5)
    world.run(25, stories=0.4, acts=3)
    world.settle()
    broken = list(recount.faults(journal=recount.Journal(world.journal), mails=world.mails))
    assert not broken, (len(broken), broken[:25])


def test_a_pause_from_single_stories_counts_for_the_first_digest_after_them(
    publication: Publication, texts: object
) -> None:
    """What came out in the pause stays away, though a story came at once before the reader chose digests."""
    world = World(1, readers=1)
    row = world.subscription(world.readers[0], world.newsletters[0])
    world.another_cadence(row, Cadence.INSTANT)
    away = [lambda: world.pause(row), world.publish, world.tick, lambda: world.resume(row)]
    for act in [world.tick, *away, world.publish, world.tick]:
        act()
        world.to(world.now + HOUR / 6)
    world.run(2, stories=0, acts=0)
    world.another_cadence(row, Cadence.DAILY)
    world.settle()
    broken = list(recount.faults(journal=recount.Journal(world.journal), mails=world.mails))
    assert not broken, broken


def test_who_had_each_story_at_once_for_months_gets_none_of_them_from_a_monthly_digest(
    publication: Publication, texts: object
) -> None:
    """The digest looks back further than the copies that brought its oldest stories."""
    world = World(1, readers=1)
    row = world.subscription(world.readers[0], world.newsletters[0])
    world.another_cadence(row, Cadence.INSTANT)
    for _week in range(15):
        world.publish()
        world.tick()
        world.to(world.now + 7 * DAY)
    world.another_cadence(row, Cadence.MONTHLY)
    world.publish()
    world.run(33, stories=0, acts=0)
    broken = list(recount.faults(journal=recount.Journal(world.journal), mails=world.mails))
    assert not broken, broken
