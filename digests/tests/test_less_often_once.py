"""Readers whom the publisher moves to lower cadences, and who move back, get each story once."""

from __future__ import annotations

import pytest

from digests.tests.test_every_story_once import World, _plain_mails  # noqa: F401  # mails without a layout, here too
from publication.models import Publication
from subscribers import reductions
from subscribers.models import Letter, ReducedSubscription, Subscription
from tests import cast, recount
from tests.minds import HOUR

pytestmark = pytest.mark.django_db


def move(world: World, before: str, after: str) -> None:
    """All who have it as `before`, on the newsletter that offers both; their letters arrive."""
    newsletter = world.newsletters[0]
    moved = list(newsletter.subscriptions.confirmed().filter(cadence=before))
    assert moved
    begun = reductions.begin(newsletter=newsletter, before=before, after=after, actor=None, now=world.now)
    reductions.work(reduction_id=begun.pk, clock=lambda: world.now)
    Letter.objects.filter(kind=Letter.Kind.REDUCED).update(state=Letter.State.SENT)
    for row in moved:
        world.note_wish(row, cadence=after, days="")


def press(world: World, number: int) -> None:
    """That number of those who were moved have the former cadence back."""
    for row in ReducedSubscription.objects.filter(kept_at=None).order_by("-pk")[:number]:
        assert reductions.keep(moved=row, evidence=cast.evidence(), now=world.now) is reductions.Standing.TAKEN_BACK
        world.note_wish(row.subscription, cadence=row.reduction.before, days=row.days)


def test_nobody_gets_a_story_twice_or_never_when_moved_and_moved_back(publication: Publication, texts: object) -> None:
    world = World(1, readers=4)
    Subscription.objects.filter(newsletter=world.newsletters[0]).update(cadence="instant")
    for row in world.newsletters[0].subscriptions.all():
        world.note_wish(row, cadence="instant")
    world.run(3, stories=2, acts=0)
    world.to(world.now + 9 * HOUR)
    move(world, "instant", "daily")
    world.run(2, stories=2, acts=0)
    press(world, 2)
    world.run(3, stories=2, acts=0)
    move(world, "daily", "weekly")
    world.run(9, stories=1, acts=0)
    press(world, 1)
    world.run(3, stories=1, acts=0)
    world.settle()
    broken = list(recount.faults(journal=recount.Journal(world.journal), mails=world.mails))
    assert not broken, (len(broken), broken[:25])
