"""What workers know together of servers and throttles, and what a process knows of them when Redis is away."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import redis_client
from postal import limiter
from postal.tests.redis_server import Server

Limits = Callable[[], limiter.Limits]
ROUTE = "relay:mx:25"
RULE = limiter.Rule("all", 100, 1)


def test_a_server_that_could_not_be_reached_is_left_alone_and_then_tried_again(limits: Limits) -> None:
    here, there = limits(), limits()
    here.rest(subject=ROUTE, seconds=0.2)
    assert here.resting(subjects=[ROUTE, "other"]) == there.resting(subjects=[ROUTE, "other"]) == {ROUTE}
    ends = time.monotonic() + 5
    while here.resting(subjects=[ROUTE]) | there.resting(subjects=[ROUTE]):
        assert time.monotonic() < ends, "it rests for ever"
        time.sleep(0.01)
    assert here.away(subjects=[ROUTE, "other"]) == there.away(subjects=[ROUTE, "other"]) == {ROUTE}
    there.reached(subject=ROUTE)
    assert here.away(subjects=[ROUTE]) == there.away(subjects=[ROUTE]) == set()


def test_one_of_all_processes_is_the_first(limits: Limits) -> None:
    here, there = limits(), limits()
    assert [one.once(name="probe", seconds=0.3) for one in (here, there, here)] == [True, False, False]
    assert there.once(name="another", seconds=0.3)
    time.sleep(0.31)
    assert there.once(name="probe", seconds=0.3)


def test_a_value_that_two_processes_change_at_once_is_changed_twice(limits: Limits) -> None:
    here, there = limits(), limits()

    def add(stored: str | None) -> tuple[int, float, str | None]:
        if stored is None and not others:
            others.append(there.update("sum", lambda before: (int(before or 0) + 1, 60, before)))
        return int(stored or 0) + 1, 60, stored

    others: list[Any] = []
    assert here.update("sum", add) == "1", "it ran again on what the other had written"
    assert here.update("sum", lambda stored: (None, 60, stored)) == "2"
    assert here.update("sum", lambda stored: (None, 60, stored)) == "2", "nothing is a value that changes nothing"


# --- Redis is away -------------------------------------------------------------------------------


def test_what_is_known_here_holds_when_redis_goes(own_redis: Server) -> None:
    shared, other = limiter.Limits(prefix="goes:"), limiter.Limits(prefix="goes:")
    other.slow_down(subject=ROUTE, base=10, hold=60)
    assert shared.look()
    shared.rest(subject=ROUTE, seconds=30)
    own_redis.stop()
    for _ in range(2):
        assert not shared.look()
        assert set(shared.throttles()) == {ROUTE}
    assert shared.resting(subjects=[ROUTE]) == shared.away(subjects=[ROUTE]) == {ROUTE}
    assert shared.ask(rules=[], slow=[ROUTE], wanted=50).count == 0
    shared.reached(subject=ROUTE)
    assert shared.away(subjects=[ROUTE]) == shared.resting(subjects=[ROUTE]) == set()


def test_without_redis_a_process_goes_by_what_it_finds_out_itself(own_redis: Server) -> None:
    own_redis.stop()
    shared = limiter.Limits(prefix="alone:")
    assert [shared.once(name="probe", seconds=60) for _ in range(3)] == [True, False, False]
    shared.slow_down(subject=ROUTE, base=10, hold=60)
    held = shared.ask(rules=[], slow=[ROUTE], wanted=50)
    assert (held.count, held.wait > 50) == (0, True)
    shared.rest(subject="relay:other:25", seconds=30)
    assert shared.resting(subjects=[ROUTE, "relay:other:25"]) == {"relay:other:25"}
    assert shared.queue(subject=ROUTE, count=1, per_second=1) == 1.0
    shared.register()
    shared.give_back(grant=shared.ask(rules=[RULE], slow=[], wanted=1), count=1)


def test_redis_that_does_not_answer_is_waited_for_once(
    settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(redis_client, "SECONDS_TO_WAIT", 0.1)
    path = Path(tmp_path_factory.mktemp("r")) / "s"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        settings.REDIS_URL = f"unix://{path}?db=0"
        shared = limiter.Limits(prefix="silent:")
        began = time.monotonic()
        for _ in range(50):
            shared.ask(rules=[RULE], slow=[], wanted=1)
        assert time.monotonic() - began < 2
