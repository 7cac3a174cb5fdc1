"""While no server can be reached copies stay where they are; one is tried now and then, to find out that it is back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from digests.models import Delivery, Issue
from digests.sending import lanes, tasks
from digests.sending.pacing import rate_limits
from digests.sending.tests.conftest import ScriptedTransport, refuse, states
from digests.sending.tests.pacing.test_relays import smtp, use
from postal import backoff, config, limiter
from postal.tests.redis_server import Server
from postal.transports.base import Phase
from tests.faults import smtp_script, smtp_server
from tests.journeys.stage import free_port

pytestmark = pytest.mark.django_db(transaction=True)

Start = Callable[[int], Issue]
IN_FLIGHT = 10
Away = lanes.Ending.AWAY


@pytest.fixture(autouse=True)
def _hurried(own_redis: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "PROBE_SECONDS", 0.3)
    monkeypatch.setattr(backoff, "AWAY_SECONDS", 0.05)


@pytest.fixture
def port(settings: Any) -> int:
    """Where the one mail server will be, some day."""
    free = free_port()
    use(settings, smtp(free))
    settings.SENDING = replace(settings.SENDING, copies_in_flight=IN_FLIGHT, lanes=2)
    return free


@pytest.fixture
def back(port: int) -> Iterator[Callable[[], smtp_server.Server]]:
    """Starts the mail server."""
    started: list[smtp_server.Server] = []

    def start() -> smtp_server.Server:
        started.append(smtp_server.Server(smtp_script.Script.read({}), port=port))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.stop()


def run(issue: Issue, *, times: int = 1) -> list[lanes.Ending]:
    return [lanes.run(issue_id=issue.pk, lane=number % 2) for number in range(times)]


def test_one_batch_finds_out_and_no_other_copy_is_touched(sending: Start, port: int) -> None:
    issue = sending(30)
    assert run(issue, times=6) == [Away] * 6
    assert states(issue) == {"deferred": IN_FLIGHT, "pending": 30 - IN_FLIGHT}


def test_what_is_tried_meanwhile_is_what_was_tried_before_and_no_attempt_is_used_up(sending: Start, port: int) -> None:
    issue = sending(30)
    for _ in range(4):
        assert run(issue, times=3) == [Away] * 3
        time.sleep(0.32)
    assert states(issue) == {"deferred": IN_FLIGHT, "pending": 30 - IN_FLIGHT}
    assert {*issue.deliveries.values_list("attempts", flat=True)} == {0}


def test_once_it_answers_all_of_an_issue_leave_with_the_next_look(
    sending: Start, back: Callable[[], smtp_server.Server]
) -> None:
    issue = sending(30)
    run(issue, times=3)
    server = back()
    time.sleep(0.32)
    run(issue)
    assert states(issue) == {"accepted": 30}
    assert set(server.copies().values()) == {1}
    assert {*issue.deliveries.values_list("attempts", flat=True)} == {1}


def test_a_new_issue_after_an_outage_leaves_at_once(sending: Start, back: Callable[[], smtp_server.Server]) -> None:
    run(sending(30), times=3)
    back()
    time.sleep(0.32)
    new = sending(20)
    began = timezone.now()
    run(new)
    copies = Delivery.objects.filter(issue=new)
    assert not copies.exclude(state="accepted").exists()
    first = copies.order_by("settled_at").first()
    assert first is not None
    assert first.settled_at is not None
    assert (first.settled_at - began).total_seconds() < 10


def test_a_new_issue_in_an_outage_waits_as_it_is(sending: Start, port: int) -> None:
    run(sending(30))
    new = sending(20)
    for _ in range(3):
        assert run(new, times=4) == [Away] * 4
        time.sleep(0.32)
    assert states(new) == {"pending": 30 + 20 - 1, "deferred": 1}


def test_several_servers_that_are_all_away_are_tried_with_one_copy(sending: Start, settings: Any, port: int) -> None:
    use(settings, smtp(port), smtp(free_port()))
    settings.SENDING = replace(settings.SENDING, copies_in_flight=IN_FLIGHT)
    issue = sending(30)
    assert run(issue, times=4) == [Away] * 4
    assert states(issue)["pending"] == 30 - IN_FLIGHT


def test_one_of_several_that_is_back_takes_everything(
    sending: Start, settings: Any, port: int, back: Callable[[], smtp_server.Server]
) -> None:
    use(settings, smtp(free_port(), weight=9), smtp(port))
    settings.SENDING = replace(settings.SENDING, copies_in_flight=IN_FLIGHT)
    issue = sending(30)
    run(issue)
    server = back()
    time.sleep(0.32)
    run(issue)
    assert states(issue) == {"accepted": 30}
    assert set(server.copies().values()) == {1}


def test_a_server_that_says_nothing_any_more_is_away_too(sending: Start, settings: Any) -> None:
    """Its sessions are open, and time out one after the other."""
    rules = [{"at": "MAIL", "do": "silence"}]
    with smtp_server.running({"rules": rules}) as server:
        use(settings, smtp(server.port))
        settings.SENDING = replace(settings.SENDING, copies_in_flight=IN_FLIGHT, timeouts=config.Timeouts(1, 0.3, 1))
        issue = sending(30)
        assert run(issue, times=6) == [Away] * 6
    assert states(issue)["pending"] >= 30 - IN_FLIGHT - 1


def test_a_provider_that_is_away_is_tried_with_one_copy_too(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(60)
    transport.verdict = refuse("deferred", Phase.CONNECT)
    assert run(issue, times=4) == [Away] * 4
    assert states(issue)["pending"] == 60 - 50


def test_credentials_that_are_refused_are_no_absence(sending: Start, transport: ScriptedTransport) -> None:
    """The breaker pauses the issue; nobody else need wait."""
    issue = sending(30)
    transport.verdict = refuse("deferred", Phase.SESSION, about_us=True)
    run(issue)
    assert limiter.shared().away(subjects=["local"]) == set()


def test_without_redis_each_process_keeps_to_it(sending: Start, port: int, own_redis: Server) -> None:
    issue = sending(30)
    own_redis.stop()
    assert run(issue, times=4)[1:] == [Away] * 3
    assert states(issue)["pending"] == 30 - IN_FLIGHT


# --- When a lane is run again ---------------------------------------------------------------


def look(issue: Issue, ending: lanes.Ending) -> float | None:
    return lanes.look_again_in(issue_id=issue.pk, lane=0, ending=ending)


def test_a_lane_that_found_nobody_looks_again_within_seconds(sending: Start) -> None:
    issue = sending(1)
    assert look(issue, Away) == lanes.LOOK_AGAIN_SECONDS[Away] <= 10
    assert look(issue, Away) is None, "it is queued already"
    assert lanes.look_again_in(issue_id=issue.pk, lane=1, ending=Away) is not None


@pytest.mark.parametrize(("seconds", "expected"), [(20, 20), (-5, 1), (7_200, None)])
def test_a_lane_looks_again_when_the_next_copy_is_due(sending: Start, seconds: float, expected: float | None) -> None:
    issue = sending(2)
    due = timezone.now() + timedelta(seconds=seconds)
    issue.deliveries.update(state="deferred", due_at=due)
    seconds_left = look(issue, lanes.Ending.IDLE)
    assert seconds_left == (None if expected is None else pytest.approx(expected, abs=5))


@pytest.mark.parametrize("ending", [lanes.Ending.BUSY, lanes.Ending.STOPPED, lanes.Ending.IDLE])
def test_a_lane_that_has_nothing_to_wait_for_does_not_look_again(sending: Start, ending: lanes.Ending) -> None:
    assert look(sending(1), ending) is None


def test_the_task_queues_the_look(sending: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    queued: list[tuple[float, int, int]] = []
    monkeypatch.setattr(tasks.run_lane, "hint_in", lambda *call: queued.append(call), raising=False)
    monkeypatch.setattr(lanes, "run", lambda **_lane: Away)
    issue = sending(1)
    tasks.run_lane(issue.pk, 1)
    assert queued == [(lanes.LOOK_AGAIN_SECONDS[Away], issue.pk, 1)]
