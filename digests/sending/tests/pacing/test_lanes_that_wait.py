"""A lane with a limit: nothing waits in a row, and a lane that waits stops when asked to."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence

import pytest

from digests.models import Issue
from digests.sending import claims, draining, lanes
from digests.sending.pacing import rate_limits
from digests.sending.tests.conftest import ScriptedTransport, states
from postal import limiter
from postal.tests.redis_server import Server
from postal.transports.base import Copy

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]
Pace = Callable[..., None]
# A second, less what a busy machine may take between a grant and the hand-over.
ON_THE_WIRE = 0.75


@pytest.fixture(autouse=True)
def _own_redis(own_redis: Server) -> Server:
    return own_redis


def test_a_limit_paces_the_copies(sending: Start, transport: ScriptedTransport, pace: Pace) -> None:
    pace(per_second=40)
    issue, at = sending(50), []
    transport.before = lambda copies: at.extend([time.monotonic()] * len(copies))
    assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.IDLE
    assert states(issue) == {"accepted": 50}
    assert all(sum(start <= one < start + ON_THE_WIRE for one in at) <= 40 for start in at)
    # That the limit is reached is proved without a machine's load (postal/tests/test_gcra.py).
    assert 1 < at[-1] - at[0] < 10


def test_nothing_is_claimed_while_a_lane_waits(
    sending: Start, transport: ScriptedTransport, pace: Pace, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace(per_second=10)
    issue, seen = sending(8), []

    def sleep(seconds: float) -> None:
        seen.append(issue.deliveries.filter(state__in=["claimed", "attempting"]).count())
        real(seconds)

    real = time.sleep
    monkeypatch.setattr(time, "sleep", sleep)
    lanes.run(issue_id=issue.pk, lane=0)
    assert seen
    assert set(seen) == {0}
    assert states(issue) == {"accepted": 8}


def test_a_long_wait_ends_the_lane_and_holds_no_worker(
    sending: Start, transport: ScriptedTransport, pace: Pace
) -> None:
    pace(per_hour=30)
    issue = sending(5)
    began = time.monotonic()
    assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.PACED
    # The next grant is two minutes away.
    assert time.monotonic() - began < 60
    assert states(issue) == {"accepted": 1, "pending": 4}
    assert issue.deliveries.filter(attempts__gt=1).count() == 0


def test_a_pause_takes_hold_while_a_lane_waits(
    sending: Start, transport: ScriptedTransport, pace: Pace, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace(per_second=2)
    issue = sending(6)

    def sleep(seconds: float) -> None:
        Issue.objects.filter(pk=issue.pk).update(state=Issue.State.PAUSED)
        real(seconds)

    real = time.sleep
    monkeypatch.setattr(time, "sleep", sleep)
    assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.STOPPED
    assert states(issue) == {"accepted": 1, "pending": 5}


def test_a_worker_that_stops_does_not_wait(
    sending: Start, transport: ScriptedTransport, pace: Pace, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace(per_second=1)
    issue = sending(6)

    def sleep(seconds: float) -> None:
        monkeypatch.setattr(draining, "asked", lambda: True)
        real(seconds)

    real = time.sleep
    monkeypatch.setattr(time, "sleep", sleep)
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"accepted": 1, "pending": 5}


def test_a_portion_is_a_batch(sending: Start, transport: ScriptedTransport, pace: Pace) -> None:
    pace(per_second=200)
    issue, sizes = sending(60), []
    transport.before = lambda copies: sizes.append(len(copies))
    lanes.run(issue_id=issue.pk, lane=0)
    assert max(sizes) <= 20
    assert len(sizes) <= 12


def test_without_limits_redis_is_asked_now_and_then_only(
    sending: Start, transport: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue, asked = sending(100), []
    honest = limiter.Limits.look

    def look(self: limiter.Limits) -> bool:
        asked.append(time.monotonic())
        return honest(self)

    monkeypatch.setattr(limiter.Limits, "look", look)
    monkeypatch.setattr(limiter, "_script", None)
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"accepted": 100}
    assert all(later - earlier >= rate_limits.POLL_SECONDS for earlier, later in itertools.pairwise(asked))


def test_without_redis_a_limited_lane_goes_on(
    sending: Start, transport: ScriptedTransport, pace: Pace, own_redis: Server
) -> None:
    pace(per_second=100, processes=2)
    own_redis.stop()
    issue, at = sending(40), []
    transport.before = lambda copies: at.extend([time.monotonic()] * len(copies))
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"accepted": 40}
    assert at[-1] - at[0] >= 0.6


def test_grants_for_rows_that_are_not_there_are_given_back(
    sending: Start, transport: ScriptedTransport, pace: Pace, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace(per_second=1000)
    issue, returned = sending(3), []
    honest = limiter.Limits.give_back

    def give_back(self: limiter.Limits, *, grant: limiter.Grant, count: int) -> None:
        returned.append((grant.count, count))
        honest(self, grant=grant, count=count)

    monkeypatch.setattr(limiter.Limits, "give_back", give_back)
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"accepted": 3}
    assert sum(granted - unused for granted, unused in returned) == 3


def test_two_issues_share_one_limit(sending: Start, transport: ScriptedTransport, pace: Pace) -> None:
    pace(per_second=50)
    first, at = sending(30), []
    second = sending(30)

    def note(copies: Sequence[Copy]) -> None:
        at.extend([time.monotonic()] * len(copies))

    transport.before = note
    for issue in (first, second):
        lanes.run(issue_id=issue.pk, lane=0)
    assert all(sum(start <= one < start + ON_THE_WIRE for one in at) <= 50 for start in at)
    assert claims.recover() == 0
