"""A limit holds in every window, wherever it begins, and nearly all of it can be used."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import redis_client
from postal import limiter
from postal.tests.redis_server import Clock

Grants = list[tuple[float, int]]
Limits = Callable[[], limiter.Limits]
RULE = limiter.Rule("all", 100, 1)
SECONDS = st.sampled_from([1, 10, 3600])


def fullest(grants: Grants, seconds: float) -> int:
    """The most copies in any half-open window of that length."""
    most, count, first = 0, 0, 0
    for at, granted in grants:
        count += granted
        # A clock of floats: what is a window's length apart but for a rounding is in two windows.
        while grants[first][0] <= at - seconds + 1e-5:
            count -= grants[first][1]
            first += 1
        most = max(most, count)
    return most


def greedy(limits: limiter.Limits, clock: Clock, *rules: limiter.Rule, seconds: float, lanes: int = 1) -> Grants:
    """What lanes get that ask again as soon as they may."""
    grants: Grants = []
    ends = clock.now + seconds
    while clock.now < ends:
        waits = []
        for _ in range(lanes):
            grant = limits.ask(rules=rules, slow=[], wanted=50)
            grants.append((clock.now, grant.count))
            waits.append(grant.wait if not grant.count else 0)
        clock.pass_(max(0.001, min(waits)))
    return grants


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    limit=st.integers(1, 400),
    seconds=SECONDS,
    asks=st.lists(
        st.tuples(st.floats(0, 0.3), st.integers(1, 120), st.booleans(), st.floats(0, 1)), min_size=1, max_size=40
    ),
)
def test_no_window_ever_holds_more_than_the_limit(
    limit: int, seconds: int, asks: list[tuple[float, int, bool, float]]
) -> None:
    """The local fallback grants the same, so it needs no proof of its own."""
    clock = Clock()
    limits = limiter.Limits(clock=clock, prefix=redis_client.key(f"{uuid.uuid4().hex}:"))
    alone = limiter.LocalFallback(clock=clock)
    rule, grants = limiter.Rule("all", limit, seconds), []
    for gap, wanted, partial_grant, used in asks:
        clock.pass_(round(gap * seconds, 3))
        grant = limits.ask(rules=[rule], slow=[], wanted=wanted, partial_grant=partial_grant)
        least = 1 if partial_grant else min(wanted, max(1, min(rule.cell.burst // 2, int(0.5 / rule.cell.interval))))
        assert alone.take([rule.cell], wanted, least).count == grant.count <= wanted
        unused = grant.count - round(grant.count * used)
        limits.give_back(grant=grant, count=unused)
        alone.take([rule.cell], -unused, -unused)
        assert grant.count or grant.wait > 0
        grants.append((clock.now, grant.count - unused))
    assert fullest(grants, seconds) <= limit


@pytest.mark.parametrize(("limit", "seconds"), [(1, 1), (7, 1), (100, 1), (1000, 1), (60, 3600)])
@pytest.mark.parametrize("lanes", [1, 3])
def test_nearly_all_of_the_limit_is_reached_when_there_is_enough_to_send(
    limits: Limits, clock: Clock, limit: int, seconds: int, lanes: int
) -> None:
    windows = 20 if limit < 50 else 4
    grants = greedy(limits(), clock, limiter.Rule("all", limit, seconds), seconds=windows * seconds, lanes=lanes)
    assert fullest(grants, seconds) <= limit
    assert sum(count for _, count in grants) >= 0.95 * limit * windows


def test_a_window_does_not_begin_with_a_rush(limits: Limits, clock: Clock) -> None:
    grants = greedy(limits(), clock, limiter.Rule("all", 1000, 1), seconds=2, lanes=4)
    assert fullest(grants, 0.1) <= 150


def test_an_hourly_limit_is_not_spent_in_its_first_minutes(limits: Limits, clock: Clock) -> None:
    grants = greedy(limits(), clock, limiter.Rule("all", 600, 3600), seconds=360)
    assert sum(count for _, count in grants) <= 0.15 * 600


def test_both_limits_hold_at_once(limits: Limits, clock: Clock) -> None:
    minute = limiter.Rule("all", 150, 60)
    grants = greedy(limits(), clock, limiter.Rule("all", 10, 1), minute, seconds=180)
    assert fullest(grants, 1) <= 10
    assert fullest(grants, 60) <= 150
    assert sum(count for _, count in grants) >= 0.95 * 3 * 150


def test_a_batch_is_worth_half_a_second_of_waiting_and_no_more(limits: Limits) -> None:
    shared, rule = limits(), limiter.Rule("all", 3600, 3600)
    assert shared.ask(rules=[rule], slow=[], wanted=1000).count == 180, "a burst"
    assert shared.ask(rules=[rule], slow=[], wanted=50).wait <= 1.1
    # Half a burst is a batch; one who wants less gets it.
    fast = limiter.Rule("fast", 1000, 1)
    assert [shared.ask(rules=[fast], slow=[], wanted=wanted).count for wanted in (40, 50, 10)] == [40, 0, 10]
    one = limiter.Rule("one", 100, 1)
    assert [shared.ask(rules=[one], slow=[], wanted=wanted).count for wanted in (4, 50)] == [4, 0]
    assert shared.ask(rules=[one], slow=[], wanted=50, partial_grant=True).count == 1


def test_one_who_asks_again_early_waits_for_the_rest_only(limits: Limits, clock: Clock) -> None:
    shared, rules = limits(), [limiter.Rule("all", 15, 30)]
    assert shared.ask(rules=rules, slow=[], wanted=50).count == 1
    assert shared.ask(rules=rules, slow=[], wanted=50).wait == pytest.approx(2, abs=0.01)
    clock.pass_(1.5)
    assert shared.ask(rules=rules, slow=[], wanted=50).wait == pytest.approx(0.5, abs=0.01)
    clock.pass_(0.5)
    assert shared.ask(rules=rules, slow=[], wanted=50).count == 1


def test_a_clock_that_is_set_back_neither_stops_nor_frees_anyone(limits: Limits, clock: Clock) -> None:
    shared = limits()
    greedy(shared, clock, RULE, seconds=2)
    clock.pass_(-7200)
    grants = greedy(shared, clock, RULE, seconds=3)
    assert fullest(grants, 1) <= 100
    assert sum(count for _, count in grants) >= 0.9 * 300


def test_what_is_given_back_can_be_taken_again_and_no_more_than_that(limits: Limits, clock: Clock) -> None:
    shared, rule = limits(), limiter.Rule("all", 100, 3600)
    for _ in range(30):
        grant = shared.ask(rules=[rule], slow=[], wanted=5)
        assert grant.count == 5
        shared.give_back(grant=grant, count=5)
    shared.give_back(grant=grant, count=5)
    assert shared.ask(rules=[rule], slow=[], wanted=50).count == 5, "a burst is the most"


def test_a_line_is_served_in_its_order_and_is_an_hour_long_at_most(limits: Limits, clock: Clock) -> None:
    shared = limits()
    assert shared.queue(subject="domain:a", count=2, per_second=1) == 0
    assert shared.queue(subject="domain:a", count=2, per_second=1) == 2
    clock.pass_(3)
    assert shared.queue(subject="domain:a", count=3000, per_second=1) == 1
    assert shared.queue(subject="domain:b", count=2, per_second=1) == 0
    assert shared.queue(subject="domain:a", count=3000, per_second=1) == limiter.MAX_QUEUE_SECONDS
    assert shared.queue(subject="domain:c", count=2, per_second=0.0001) == limiter.MAX_QUEUE_SECONDS


def test_nothing_is_stored_for_ever(limits: Limits) -> None:
    shared = limits()
    rules = [RULE, limiter.Rule("all", 10, 3_600), limiter.Rule("relay:a", 100, 1)]
    shared.register()
    shared.slow_down(subject="relay:a", base=10, hold=0)
    shared.give_back(grant=shared.ask(rules=rules, slow=["relay:a"], wanted=1), count=1)
    shared.rest(subject="relay:a", seconds=30)
    assert shared.once(name="probe", seconds=5)
    shared.queue(subject="domain:a.example", count=5, per_second=1)
    client = redis_client.connect()
    keys = list(client.scan_iter(f"{shared.prefix}*"))
    assert len(keys) == 10
    assert [key for key in keys if client.pttl(key) < 0] == []


# --- Throttles -----------------------------------------------------------------------------------


def test_a_throttled_rate_is_shared_by_all(limits: Limits, clock: Clock) -> None:
    here, there = limits(), limits()
    here.slow_down(subject="relay:a", base=40, hold=0)
    there.look()
    count = 0
    for _ in range(45):
        clock.pass_(0.1)
        count += sum(one.ask(rules=[], slow=["relay:a"], wanted=50, partial_grant=True).count for one in (here, there))
    # Four and a half seconds from 20 to 38 a second, and what may leave at once.
    assert 110 <= count <= 180
    assert here.ask(rules=[], slow=["relay:b"], wanted=50).count == 50, "no other is slowed down"


def test_several_lanes_that_hear_the_same_refusal_lower_the_rate_once(limits: Limits, clock: Clock) -> None:
    here, there = limits(), limits()
    for one in (here, there, here):
        one.slow_down(subject="relay:a", base=64, hold=0)
    assert there.throttles()["relay:a"].rate_at(clock.now) == 32


def test_retry_after_holds_everyone_for_that_long(limits: Limits, clock: Clock) -> None:
    here, there = limits(), limits()
    here.slow_down(subject="relay:a", base=100, hold=120)
    there.slow_down(subject="relay:a", base=100, hold=0)
    for one in (here, there):
        assert one.look()
        assert one.ask(rules=[RULE], slow=["relay:a"], wanted=50, partial_grant=True).count == 0
    clock.pass_(119)
    assert there.ask(rules=[], slow=["relay:a"], wanted=50).wait == pytest.approx(1)
    clock.pass_(1)
    assert there.ask(rules=[], slow=["relay:a"], wanted=50, partial_grant=True).count == 50


def test_a_throttle_that_is_over_is_known_to_nobody(limits: Limits, clock: Clock) -> None:
    shared = limits()
    shared.slow_down(subject="relay:a", base=10, hold=0)
    clock.pass_(11)
    assert shared.look()
    assert shared.throttles() == {}
    shared.slow_down(subject="relay:b", base=10, hold=0)
    shared.look()
    assert set(shared.throttles()) == {"relay:b"}


def test_a_clock_that_is_set_back_ends_a_throttle(limits: Limits, clock: Clock) -> None:
    shared = limits()
    shared.slow_down(subject="relay:a", base=40, hold=5)
    clock.pass_(-7200)
    assert shared.throttles() == {}


def test_two_sites_on_one_redis_have_limits_of_their_own(settings: pytest.FixtureRequest) -> None:
    sites = []
    for name in ("one", "two"):
        settings.CACHES = {"default": {**settings.CACHES["default"], "KEY_PREFIX": name}}  # type: ignore[attr-defined]  # Django's settings
        sites.append(limiter.Limits())
    assert sites[0].prefix != sites[1].prefix
