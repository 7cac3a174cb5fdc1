"""What is kept of the pace, for how long, and what is left of it when Redis or its clock is not what it was."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from core import redis_client
from digests.sending.tests.pacing.conftest import Clock, Server
from digests.sending.tests.pacing.test_slowdown import ROUTE, outcome, rate
from postal import limiter, slowdown
from postal.transports.base import Phase

Pace = Callable[..., None]
RULE = limiter.Rule("all", 100, 1)
HOURLY = limiter.Rule("all", 10, 3_600)
AGES = 2 * 3_600


@pytest.fixture
def alone(own_redis: Server) -> limiter.Limits:
    """A process whose Redis is away."""
    own_redis.stop()
    return limiter.Limits(prefix="away:")


def test_nothing_is_kept_for_ever(own_redis: Server) -> None:
    shared = limiter.Limits(prefix="kept:")
    shared.ask(rules=[RULE], slow=[], wanted=1)
    shared.ask(rules=[HOURLY, RULE], slow=[], wanted=100)
    shared.ask(rules=[limiter.Rule("relay:a", 100, 1)], slow=[], wanted=1)
    shared.slow_down(subject=ROUTE, base=10, hold=5)
    shared.rest(subject=ROUTE, seconds=30)
    assert shared.once(name="probe", seconds=5)
    shared.queue(subject="domain:a.example", count=5, per_second=1)
    shared.allow(name="warmup:a", allowance=10, wanted=5, count=lambda: 0)
    with redis.Redis.from_url(own_redis.url) as client:
        kept: Any = client.keys("kept:*")
        assert len(kept) == 11
        assert [key for key in kept if client.pttl(key) < 0] == []


def test_who_has_not_asked_for_ten_minutes_has_no_share(own_redis: Server, clock: Clock, pace: Pace) -> None:
    pace(processes=1)
    everybody = [limiter.Limits(clock=clock, prefix="share:") for _ in range(5)]
    for one in everybody:
        one.ask(rules=[RULE], slow=[], wanted=1)
    assert everybody[-1].share == 5
    clock.pass_(601)
    everybody[0].ask(rules=[RULE], slow=[], wanted=1)
    assert everybody[0].share == 1
    # And whoever asked in a future that was taken back.
    clock.pass_(-AGES)
    everybody[1].ask(rules=[RULE], slow=[], wanted=1)
    assert everybody[1].share == 1


def test_a_share_is_never_larger_than_the_setting_says(own_redis: Server, pace: Pace) -> None:
    pace(processes=4)
    assert limiter.Limits(prefix="set:").share == 4


def test_a_clock_that_was_set_back_neither_stops_nor_frees_anybody(own_redis: Server, clock: Clock) -> None:
    shared = limiter.Limits(clock=clock, prefix="set-back:")
    taken = 0
    for _ in range(100):
        taken += shared.ask(rules=[HOURLY], slow=[], wanted=10, partial_grant=True).count
        clock.pass_(30)
    assert taken >= 5
    clock.pass_(-AGES)
    again = 0
    for _ in range(119):
        again += shared.ask(rules=[HOURLY], slow=[], wanted=10, partial_grant=True).count
        clock.pass_(30)
    assert 0 < again <= 10 - taken + 1
    # Nothing of the future that was taken back is held against anybody when its hour comes.
    later = 0
    for _ in range(120):
        clock.pass_(30)
        later += shared.ask(rules=[HOURLY], slow=[], wanted=10, partial_grant=True).count
    assert later >= 9


def test_what_was_given_back_can_be_taken_again_and_no_more_than_that(own_redis: Server, clock: Clock) -> None:
    shared = limiter.Limits(clock=clock, prefix="back:")
    grant = shared.ask(rules=[HOURLY], slow=[], wanted=1)
    shared.give_back(grant=grant, count=1)
    assert shared.left(rule=HOURLY) == 10
    assert shared.ask(rules=[HOURLY], slow=[], wanted=1).count == 1, "its turn was given back too"
    own_redis.flush()
    shared.give_back(grant=grant, count=1)
    assert shared.left(rule=HOURLY) == 10


def test_a_hold_is_not_shortened_by_a_milder_complaint_and_nothing_recovers_meanwhile(
    own_redis: Server, clock: Clock
) -> None:
    shared = limiter.Limits(clock=clock, prefix="hold:")
    shared.slow_down(subject=ROUTE, base=64, hold=120)
    clock.pass_(10)
    shared.slow_down(subject=ROUTE, base=2, hold=0)
    (throttle,) = shared.throttles() or []
    assert throttle.held == 110
    clock.pass_(110)
    assert rate(shared) == pytest.approx(16, rel=0.05)
    clock.pass_(2)
    assert rate(shared) == pytest.approx(22.4, rel=0.05)


def test_the_slowest_way_is_still_one(own_redis: Server, clock: Clock) -> None:
    shared = limiter.Limits(clock=clock, prefix="slow:")
    shared.slow_down(subject=ROUTE, base=0.01, hold=0)
    assert rate(shared) == pytest.approx(0.5, rel=0.05)


def test_a_slow_down_that_is_long_over_is_asked_about_no_more(own_redis: Server) -> None:
    past = int((time.time() - 3 * 3_600) * 1000)
    limiter.Limits(clock=lambda: past, prefix="over:").slow_down(subject=ROUTE, base=10, hold=0)
    assert limiter.Limits(prefix="over:").slowed() == set()


def test_a_line_that_is_longer_than_an_hour_begins_anew(own_redis: Server, clock: Clock) -> None:
    shared = limiter.Limits(clock=clock, prefix="line:")
    assert shared.queue(subject="domain:a", count=8, per_second=0.001) == 0
    clock.pass_(1)
    assert shared.queue(subject="domain:b", count=2, per_second=1) == 0
    assert shared.queue(subject="domain:b", count=2, per_second=1) == 2
    assert shared.queue(subject="domain:a", count=2, per_second=1) == 0


def test_an_allowance_that_shrinks_is_not_paid_back(own_redis: Server) -> None:
    shared = limiter.Limits(prefix="shrinks:")
    assert shared.allow(name="a", allowance=9, wanted=9, count=lambda: 0) == 9
    assert shared.allow(name="a", allowance=5, wanted=9, count=lambda: 0) == 0


def test_two_houses_on_one_redis_have_each_their_own_pace(own_redis: Server, settings: Any) -> None:
    houses = []
    for name in ("one", "two"):
        settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": name}}
        houses.append(limiter.Limits())
    houses[0].slow_down(subject=ROUTE, base=10, hold=0)
    assert [house.slowed() for house in houses] == [{ROUTE}, set()]


def test_a_server_that_rested_is_tried_again(own_redis: Server) -> None:
    here, there = limiter.Limits(prefix="rests:"), limiter.Limits(prefix="rests:")
    here.rest(subject=ROUTE, seconds=0.2)
    assert here.resting(subjects=[ROUTE, "other"]) == there.resting(subjects=[ROUTE, "other"]) == {ROUTE}
    ends = time.monotonic() + 5
    while here.resting(subjects=[ROUTE]) | there.resting(subjects=[ROUTE]):
        assert time.monotonic() < ends, "it rests for ever"
        time.sleep(0.01)


def test_a_server_is_away_until_somebody_reaches_it(own_redis: Server) -> None:
    here, there = limiter.Limits(prefix="away:"), limiter.Limits(prefix="away:")
    here.rest(subject=ROUTE, seconds=0.01)
    time.sleep(0.02)
    assert here.away(subjects=[ROUTE, "other"]) == there.away(subjects=[ROUTE, "other"]) == {ROUTE}
    there.reached(subject=ROUTE)
    assert here.away(subjects=[ROUTE]) == there.away(subjects=[ROUTE]) == set()


def test_one_of_all_is_told_to_try_it(own_redis: Server) -> None:
    here, there = limiter.Limits(prefix="once:"), limiter.Limits(prefix="once:")
    assert [one.once(name="probe", seconds=0.3) for one in (here, there, here)] == [True, False, False]
    assert there.once(name="another", seconds=0.3)
    time.sleep(0.31)
    assert there.once(name="probe", seconds=0.3)


# --- Redis is away --------------------------------------------------------------------------


def test_what_is_known_here_holds_when_redis_goes(own_redis: Server) -> None:
    shared = limiter.Limits(prefix="goes:")
    shared.slow_down(subject=ROUTE, base=10, hold=60)
    shared.rest(subject=ROUTE, seconds=30)
    own_redis.stop()
    assert shared.slowed() == {ROUTE}
    assert shared.slowed() == {ROUTE}, "asked once, Redis is left alone for a while"
    assert shared.resting(subjects=[ROUTE]) == {ROUTE}
    assert shared.away(subjects=[ROUTE]) == {ROUTE}
    assert shared.ask(rules=[], slow=[ROUTE], wanted=50).count == 0
    shared.reached(subject=ROUTE)
    assert shared.away(subjects=[ROUTE]) == shared.resting(subjects=[ROUTE]) == set()


def test_without_redis_a_process_tries_it_once_by_itself(alone: limiter.Limits) -> None:
    assert [alone.once(name="probe", seconds=60) for _ in range(3)] == [True, False, False]


def test_without_redis_nothing_that_is_noted_raises(own_redis: Server) -> None:
    own_redis.stop()
    limiter.Limits(prefix="raises:").rest(subject=ROUTE, seconds=30)
    assert limiter.Limits(prefix="raises:").resting(subjects=[ROUTE]) == set()
    assert limiter.Limits(prefix="raises:").queue(subject=ROUTE, count=1, per_second=1) == 1.0


def test_without_redis_a_process_takes_its_share_of_an_allowance(alone: limiter.Limits, pace: Pace) -> None:
    pace(processes=3)
    assert alone.allow(name="a", allowance=40, wanted=50, count=lambda: 10) == 10
    assert alone.allow(name="a", allowance=40, wanted=50, count=lambda: 39) == 1
    assert alone.allow(name="a", allowance=40, wanted=50, count=lambda: 41) == 0


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


def test_alone_a_slow_down_is_shared_out_and_over_after_ten_quiet_seconds() -> None:
    now = [1_000.0]
    process = limiter.LocalFallback(clock=lambda: now[0])
    process.slow_down(subject=ROUTE, base=40, hold=20)
    process.slow_down(subject=ROUTE, base=40, hold=0)
    held = process.ask(rules=[], slow=[ROUTE], wanted=9, share=4)
    assert (held.count, held.wait, held.slowed_to) == (0, 20, 5)
    now[0] += 20
    assert process.ask(rules=[], slow=[ROUTE], wanted=9, share=4).count == 1
    process.slow_down(subject=ROUTE, base=40, hold=0)
    assert process.slowed[ROUTE][0] == 10, "several complaints at once were one, a later one is another"
    now[0] += 4
    process.ask(rules=[], slow=[ROUTE], wanted=1, share=1)
    assert ROUTE in process.slowed
    now[0] += 2
    assert process.ask(rules=[], slow=[ROUTE], wanted=9, share=4).count == 9


def test_of_several_answers_the_longest_wait_holds_but_no_longer_than_a_day() -> None:
    told = [outcome("429", Phase.FINAL, number=number, retry_after=after) for number, after in enumerate((5, 60, 7))]
    assert slowdown.complaints(outcomes=told, domains={}, route=ROUTE)[ROUTE].hold == 60
    told.append(outcome("429", Phase.FINAL, number=9, retry_after=10_000_000))
    assert slowdown.complaints(outcomes=told, domains={}, route=ROUTE)[ROUTE].hold == slowdown.LONGEST_HOLD_SECONDS
