"""The broker carries hints: lost, repeated and doubled ones change when, never what."""

import time
from collections import Counter

import pytest

from digests import stats
from digests.models import Delivery, Issue
from tests.journeys import stage as stages
from tests.journeys.conftest import People

READERS = 200
HURRIED = {"LANE_SECONDS": "1", "COPIES_IN_FLIGHT": "10"}
pytestmark = pytest.mark.slow


@pytest.fixture
def script() -> dict[str, object]:
    """Slow enough that a lane does not end an issue within its second."""
    return {"rules": [{"at": "ACCEPTED", "do": "delay", "seconds": 0.1}]}


def sent(issue: Issue) -> bool:
    issue.refresh_from_db()
    return issue.state == Issue.State.SENT


def check_everybody_has_one(stage: stages.Stage, issue: Issue, everybody: list[str]) -> None:
    assert stage.mail.copies() == Counter(everybody)
    assert stats.progress(issue).by_state[Delivery.State.ACCEPTED] == len(everybody)
    assert stats.progress(issue).conserved


def test_every_task_five_times_on_two_workers(stage: stages.Stage, people: People, issue: Issue) -> None:
    everybody = people(READERS)
    stage.send(issue)
    stage.worker()
    stage.worker()
    for _ in range(5):
        stage.queue("digests.sending.tasks.wake_issue", issue.pk)
        stage.queue("digests.sending.tasks.plan_issue", issue.pk)
        for lane in (3, 1, 0, 2, 7):
            stage.queue("digests.sending.tasks.run_lane", issue.pk, lane)
        stage.tick()
    stages.wait(lambda: sent(issue), "the issue to be sent", 40, stage.logs)

    check_everybody_has_one(stage, issue, everybody)


def test_tasks_for_what_is_not_there_harm_nothing(stage: stages.Stage, people: People, issue: Issue) -> None:
    everybody = people(20)
    stage.queue("digests.sending.tasks.run_lane", 999_999, 0)
    stage.queue("digests.sending.tasks.wake_issue", 999_999)
    stage.queue("digests.sending.tasks.plan_issue", 999_999)
    stage.queue("subscribers.tasks.send_letter", 999_999)
    stage.queue("digests.sending.tasks.run_lane", issue.pk, 0)
    stage.worker()
    stage.send(issue)
    stages.wait(lambda: sent(issue), "the issue to be sent", 40, stage.logs)

    check_everybody_has_one(stage, issue, everybody)


def test_flushall_in_the_middle_of_an_issue(stage: stages.Stage, people: People, issue: Issue) -> None:
    everybody = people(READERS)
    stage.extra = HURRIED
    stage.worker()
    stage.let_through(0)
    stage.send(issue)
    stage.let_through(READERS // 4)

    stage.redis().flushall()
    stage.let_all_through()
    stage.tick_until(lambda: sent(issue), "the issue to be sent", 40)

    check_everybody_has_one(stage, issue, everybody)


def test_a_broker_that_is_restarted_and_one_that_stays_away(stage: stages.Stage, people: People, issue: Issue) -> None:
    """Worker and clock outlive it, find it again, and the worker consumes again. Ten minutes went as these seconds."""
    everybody = people(READERS)
    stage.extra = HURRIED
    # More children than lanes: the worker waits for tasks while it has some, which is when kombu stumbles.
    stage.worker(concurrency=4)
    stage.spawn("beat", ["tests.faults.hurried_beat", str(stage.var)])
    stage.let_through(0)
    stage.send(issue)
    stage.let_through(READERS // 8)

    stage.stop_redis()
    stage.start_redis()
    # More than the lanes had in hand: others were started since.
    stage.mail.make_room(READERS // 2)
    stages.wait(lambda: len(stage.mail.accepted) >= READERS // 2, "the worker to consume again", 60, stage.logs)

    stage.stop_redis()
    stage.let_all_through()
    # Longer than a lane works, so that running tasks end, and connecting again fails more than once.
    time.sleep(5)
    assert len(stage.mail.accepted) < READERS
    stage.start_redis()
    stages.wait(lambda: sent(issue), "the issue to be sent", 60, stage.logs)

    assert [process.poll() for process in stage.started] == [None, None]
    stages.wait(lambda: stage.redis().hlen("newsroom:workers") == 1, "the worker to say that it consumes", 20)
    check_everybody_has_one(stage, issue, everybody)
