"""kill -9 in the middle of an issue: nobody gets two copies, and every reader without one is listed."""

import pytest
from django.conf import settings

from digests import stats
from digests.models import Delivery, Issue
from tests.journeys import stage as stages
from tests.journeys.conftest import People

State = Delivery.State
READERS, IN_FLIGHT, LANES, LEASE = 300, 20, 2, 2
HURRIED = {"COPIES_IN_FLIGHT": str(IN_FLIGHT), "LANES": str(LANES), "LEASE_SECONDS": str(LEASE)}
pytestmark = pytest.mark.slow


def listed(issue: Issue, state: State) -> set[str]:
    rows = Delivery.objects.filter(issue=issue, state=state)
    return set(rows.values_list("subscriber__address", flat=True))


def check_contract(stage: stages.Stage, issue: Issue, everybody: list[str], *, kills: int) -> None:
    """Design 6, after any number of kills."""
    copies = stage.mail.copies()
    uncertain = listed(issue, State.UNCERTAIN)
    assert max(copies.values()) == 1
    assert set(everybody) - set(copies) <= uncertain
    assert listed(issue, State.ACCEPTED) <= set(copies)
    assert len(uncertain) <= kills * LANES * IN_FLIGHT
    progress = stats.progress(issue)
    assert progress.conserved
    assert progress.total == len(everybody)
    expected = Issue.State.SENT_WITH_EXCEPTIONS if uncertain else Issue.State.SENT
    assert issue.state == expected


def test_worker_after_worker(stage: stages.Stage, people: People, issue: Issue) -> None:
    everybody = people(READERS)
    stage.extra = HURRIED
    stage.worker()
    stage.let_through(0)
    stage.manage("send_issue", str(issue.pk))
    for part in (1, 2):
        stage.let_through(READERS * part // 4)
        stage.kill(stage.started[-1])
        stage.worker()
        stage.tick()
    stage.finish(issue, seconds=LEASE + 60)

    check_contract(stage, issue, everybody, kills=2)


def test_the_defaults_are_those_of_the_contract() -> None:
    assert settings.SENDING.copies_in_flight == 50
    assert settings.SENDING.lease_seconds == 120
