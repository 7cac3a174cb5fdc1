"""A reader leaves, an editor pauses or cancels, while copies are leaving: what is not in flight stays."""

from collections import Counter

import pytest
from django.utils import timezone

from digests import approval, stats
from digests.models import Delivery, Issue
from subscribers import consent, signup
from subscribers.models import Subscription
from tests.journeys import stage as stages
from tests.journeys.conftest import People

State = Delivery.State
READERS, IN_FLIGHT = 200, 10
pytestmark = pytest.mark.slow


@pytest.fixture
def half_sent(stage: stages.Stage, people: People, issue: Issue) -> Issue:
    """An issue of which a part has left."""
    people(READERS)
    stage.extra = {"COPIES_IN_FLIGHT": str(IN_FLIGHT), "LANES": "1"}
    stage.worker()
    stage.let_through(0)
    stage.send(issue)
    stage.let_through(READERS // 5)
    return issue


def await_state(stage: stages.Stage, issue: Issue, *states: Issue.State) -> None:
    def is_there() -> bool:
        issue.refresh_from_db()
        return issue.state in states

    stage.tick_until(is_there, f"the issue to be {states}", 60)


def test_a_reader_who_leaves_gets_no_copy_that_was_not_in_flight(stage: stages.Stage, half_sent: Issue) -> None:
    leaving = [f"reader-{number:04}@readers.example" for number in range(READERS - 40, READERS)]
    for subscription in Subscription.objects.filter(subscriber__address__in=leaving):
        signup.unsubscribe(
            subscription=subscription, evidence=consent.Evidence(), reason="one_click", now=timezone.now()
        )
    already = {address for address in leaving if stage.mail.copies()[address]}
    assert not already
    stage.let_all_through()

    await_state(stage, half_sent, Issue.State.SENT)

    digests = Counter(one.recipient for one in stage.mail.accepted if "letter." not in one.message_id)
    assert max(digests.values()) == 1
    got = set(leaving) & set(digests)
    assert len(got) <= IN_FLIGHT
    progress = stats.progress(half_sent)
    assert progress.by_state[State.SUPPRESSED] == len(leaving) - len(got)
    assert progress.by_state[State.ACCEPTED] == READERS - len(leaving) + len(got)


def test_a_pause_holds_and_a_resume_goes_on_where_it_stopped(stage: stages.Stage, half_sent: Issue) -> None:
    approval.pause(issue=half_sent, reason="a mistake in the headline", actor=None, now=timezone.now())
    at_the_pause = len(stage.mail.accepted)
    stage.let_all_through()
    stages.wait(lambda: nothing_in_flight(half_sent), "copies in flight to land", 20, stage.logs)
    landed = len(stage.mail.accepted)
    assert landed - at_the_pause <= IN_FLIGHT
    stage.tick(times=2)
    assert landed < READERS

    approval.resume(issue=half_sent, actor=None, now=timezone.now())
    await_state(stage, half_sent, Issue.State.SENT)

    copies = stage.mail.copies()
    assert (len(copies), max(copies.values())) == (READERS, 1)


def test_a_cancellation_keeps_back_everything_that_has_not_left(stage: stages.Stage, half_sent: Issue) -> None:
    approval.cancel(issue=half_sent, reason="the story was wrong", actor=None, now=timezone.now())
    at_the_click = len(stage.mail.accepted)
    stage.let_all_through()
    stages.wait(lambda: nothing_in_flight(half_sent), "copies in flight to land", 20, stage.logs)

    stage.tick_until(lambda: stats.progress(half_sent).open == 0, "the rest to be cancelled", 30)

    progress = stats.progress(half_sent)
    assert len(stage.mail.accepted) - at_the_click <= IN_FLIGHT
    assert progress.by_state[State.ACCEPTED] == len(stage.mail.accepted)
    assert progress.by_state[State.CANCELLED] == READERS - len(stage.mail.accepted)
    assert progress.conserved


def nothing_in_flight(issue: Issue) -> bool:
    return not issue.deliveries.filter(state__in=[State.CLAIMED, State.ATTEMPTING]).exists()
