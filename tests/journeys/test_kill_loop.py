"""Three seeds of the kill-loop; `bin/bench kill` has thirty, with more readers and more kills."""

from collections.abc import Iterator

import pytest
from django.conf import settings

from benchmarks import _audience
from tests.faults import kill_loop, lane_processes, smtp_server
from tests.journeys import stage as stages

READERS, LANES, KILLS, IN_FLIGHT = 1_000, 4, 6, 50
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture(scope="module")
def nursery(mail: smtp_server.Server, django_db_setup: None) -> Iterator[lane_processes.Nursery]:
    with stages.nursery(mail, in_flight=IN_FLIGHT, lease_seconds=2) as nursery:
        yield nursery


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_over_and_over(mail: smtp_server.Server, nursery: lane_processes.Nursery, seed: int) -> None:
    issue = _audience.planned_issue(_audience.create(readers=READERS))

    verdict = kill_loop.run(
        issue=issue, mail=mail, nursery=nursery, seed=seed, lanes=LANES, kills=KILLS, in_flight=IN_FLIGHT
    )

    assert verdict.is_good, verdict
    assert verdict.readers == READERS
    assert verdict.put_off
    assert verdict.refused
    assert verdict.uncertain


def test_the_defaults_are_those_of_the_contract() -> None:
    assert settings.SENDING.copies_in_flight == IN_FLIGHT
