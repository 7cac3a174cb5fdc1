"""SIGTERM in the middle of an issue, as a deployment sends it: what is in flight lands, nothing is uncertain."""

import signal
import time
from collections import Counter

import pytest

from digests import stats
from digests.models import Delivery, Issue
from tests.journeys import stage as stages
from tests.journeys.conftest import People

State = Delivery.State
READERS, IN_FLIGHT, LANES = 150, 10, 2
pytestmark = pytest.mark.slow


@pytest.fixture
def script() -> dict[str, object]:
    """So slow that a lane which did not hear of the stop would send too many."""
    return {"rules": [{"at": "ACCEPTED", "do": "delay", "seconds": 0.1}]}


def test_a_full_worker_that_is_stopped_lands_what_is_in_flight(
    stage: stages.Stage, people: People, issue: Issue
) -> None:
    everybody = people(READERS)
    stage.extra = {"COPIES_IN_FLIGHT": str(IN_FLIGHT), "LANES": str(LANES)}
    worker = stage.worker()
    stage.let_through(0)
    stage.send(issue)
    stage.let_through(READERS // 6)

    at_the_stop = len(stage.mail.accepted)
    worker.send_signal(signal.SIGTERM)
    # The lanes are busy meanwhile: the server has the mails and says nothing.
    time.sleep(1)
    stage.let_all_through()
    assert worker.wait(30) == 0
    # One batch that is on its way and one that was claimed before the byte was looked at.
    assert len(stage.mail.accepted) - at_the_stop <= 2 * LANES * IN_FLIGHT
    by_state = stats.progress(issue).by_state
    assert by_state[State.ATTEMPTING] == by_state[State.UNCERTAIN] == 0
    assert by_state[State.ACCEPTED] == len(stage.mail.accepted) < READERS

    stage.worker()
    stages.wait(lambda: sent(issue), "the issue to be sent", 40, stage.logs)
    assert stage.mail.copies() == Counter(everybody)


def sent(issue: Issue) -> bool:
    issue.refresh_from_db()
    return issue.state == Issue.State.SENT
