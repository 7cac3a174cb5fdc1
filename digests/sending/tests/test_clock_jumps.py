"""A host whose clock jumps: leases and hours are the database's, so its lanes neither steal nor abandon a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now

from digests.models import Issue
from digests.sending import claims, lanes, sweeper
from digests.sending.tests.conftest import ScriptedTransport, refuse, states
from postal.transports.base import Phase

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]
HOURS = [timedelta(hours=2), timedelta(hours=-2)]


@pytest.fixture(params=HOURS, ids=["two hours ahead", "two hours behind"])
def jump(request: pytest.FixtureRequest) -> Iterator[Callable[[], None]]:
    """Let the clock of this process jump, and not that of the database."""
    traveller = time_machine.travel(datetime.now(UTC) + request.param, tick=True)
    started: list[None] = []

    def go() -> None:
        traveller.start()
        started.append(None)

    yield go
    if started:
        traveller.stop()


def seconds_from_now(issue: Issue, column: str) -> float:
    """How far the first copy's time lies from the database's own clock."""
    wait = ExpressionWrapper(F(column) - Now(), output_field=DurationField())
    distance: timedelta = issue.deliveries.annotate(wait=wait).values_list("wait", flat=True)[0]
    return distance.total_seconds()


def test_a_lease_is_as_long_as_ever(sending: Start, jump: Callable[[], None]) -> None:
    issue = sending(2)
    jump()
    assert claims.claim(issue_id=issue.pk, after=0, limit=2)
    assert 110 < seconds_from_now(issue, "lease_until") <= 120


def test_a_lease_of_another_host_is_left_alone(sending: Start, jump: Callable[[], None]) -> None:
    issue = sending(2)
    assert claims.claim(issue_id=issue.pk, after=0, limit=2)
    jump()
    assert claims.recover() == 0
    assert states(issue) == {"claimed": 2}


def test_a_deferred_copy_comes_back_after_its_minute(
    sending: Start, transport: ScriptedTransport, jump: Callable[[], None]
) -> None:
    issue = sending(1)
    transport.verdict = refuse("deferred", Phase.RCPT)
    jump()
    lanes.run(issue_id=issue.pk, lane=0)
    assert 55 < seconds_from_now(issue, "due_at") < 75
    assert claims.claim(issue_id=issue.pk, after=0, limit=1) is None


def test_an_issue_under_way_is_sent_to_its_end(
    sending: Start, transport: ScriptedTransport, jump: Callable[[], None]
) -> None:
    issue = sending(60)
    jump()
    assert sweeper.sweep(now=datetime.now(UTC)) == [issue.pk]
    lanes.run(issue_id=issue.pk, lane=0)
    issue.refresh_from_db()
    assert len(transport.taken) == 60
    assert (issue.state, states(issue)) == (Issue.State.SENT, {"accepted": 60})
