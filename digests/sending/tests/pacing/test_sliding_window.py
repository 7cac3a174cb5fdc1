"""A limit holds in every window, wherever it begins, and nearly all of it can be used."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digests.sending.tests.pacing.conftest import Clock, Server
from postal import limiter

pytestmark = pytest.mark.slow

# One server serves all examples; each has keys of its own.
EXAMPLES = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
numbers = itertools.count()
Grants = list[tuple[int, int]]


def fresh(clock: Clock) -> limiter.Limits:
    return limiter.Limits(clock=clock, prefix=f"window{next(numbers)}:")


def fullest(grants: Grants, window_ms: float) -> int:
    """The most copies in any half-open window of that length."""
    most, held, first = 0, 0, 0
    for at, count in grants:
        held += count
        while grants[first][0] <= at - window_ms:
            held -= grants[first][1]
            first += 1
        most = max(most, held)
    return most


def greedy(shared: limiter.Limits, rule: limiter.Rule, clock: Clock, *, windows: float, lanes: int = 1) -> Grants:
    """What lanes get that ask again as soon as they are told to."""
    grants: Grants = []
    ends = clock.now + windows * rule.seconds * 1000
    while clock.now < ends:
        waits = []
        for _ in range(lanes):
            grant = shared.ask(rules=[rule], slow=[], wanted=50)
            grants.append((clock.now, grant.count))
            waits.append(grant.wait)
        clock.pass_(max(0.001, min(waits)))
    return grants


@EXAMPLES
@given(
    limit=st.integers(1, 400),
    seconds=st.sampled_from([1, 10, 3600]),
    asks=st.lists(
        st.tuples(st.floats(0, 1.5), st.integers(1, 120), st.booleans(), st.floats(0, 1)), min_size=1, max_size=80
    ),
)
def test_no_window_ever_holds_more_than_the_limit(
    own_redis: Server, limit: int, seconds: int, asks: list[tuple[float, int, bool, float]]
) -> None:
    clock = Clock()
    shared, rule, grants = fresh(clock), limiter.Rule("all", limit, seconds), []
    for gap, wanted, partial_grant, used in asks:
        clock.pass_(gap * seconds * 0.2)
        grant = shared.ask(rules=[rule], slow=[], wanted=wanted, partial_grant=partial_grant)
        kept = round(grant.count * used)
        shared.give_back(grant=grant, count=grant.count - kept)
        assert grant.count <= wanted
        assert (grant.count > 0) != (grant.wait > 0)
        grants.append((clock.now, kept))
    # Also when a copy is a fiftieth of the window longer on its way than the next one.
    assert fullest(grants, seconds * 1020) <= limit


@pytest.mark.parametrize(("limit", "seconds"), [(1, 1), (7, 1), (100, 1), (1000, 1), (500, 3600)])
@pytest.mark.parametrize("lanes", [1, 3])
def test_nearly_all_of_the_limit_is_reached_by_whoever_has_enough_to_send(
    own_redis: Server, clock: Clock, limit: int, seconds: int, lanes: int
) -> None:
    rule = limiter.Rule("all", limit, seconds)
    grants = greedy(fresh(clock), rule, clock, windows=20, lanes=lanes)
    assert fullest(grants, seconds * 1000) <= limit
    assert sum(count for _, count in grants) >= 0.95 * limit * 20


def test_the_start_of_a_window_is_no_rush(own_redis: Server, clock: Clock) -> None:
    grants = greedy(fresh(clock), limiter.Rule("all", 1000, 1), clock, windows=5, lanes=4)
    assert fullest(grants, 100) <= 200


def test_an_hourly_limit_is_not_spent_in_its_first_minutes(own_redis: Server, clock: Clock) -> None:
    grants = greedy(fresh(clock), limiter.Rule("all", 6000, 3600), clock, windows=0.1)
    assert sum(count for _, count in grants) <= 0.21 * 6000


def test_a_fuller_portion_is_worth_half_a_second_and_no_more(own_redis: Server, clock: Clock) -> None:
    shared, rule = fresh(clock), limiter.Rule("all", 3600, 3600)
    assert shared.ask(rules=[rule], slow=[], wanted=50).count == 1
    assert shared.ask(rules=[rule], slow=[], wanted=50).wait <= 1.5


@pytest.mark.parametrize("slowed", [False, True])
def test_whoever_comes_again_early_waits_for_the_rest_only(own_redis: Server, clock: Clock, slowed: bool) -> None:
    shared = fresh(clock)
    rules = [] if slowed else [limiter.Rule("all", 1800, 3600)]
    if slowed:
        shared.slow_down(subject="relay", base=1, hold=0)

    def ask() -> limiter.Grant:
        return shared.ask(rules=rules, slow=["relay"], wanted=50)

    assert ask().count == 1
    wait = ask().wait
    assert wait == pytest.approx(2, abs=0.1)
    clock.pass_(1.5)
    assert ask().wait == pytest.approx(wait - 1.5, abs=0.1)
    clock.pass_(ask().wait)
    assert ask().count == 1


def test_both_limits_hold_at_once(own_redis: Server, clock: Clock) -> None:
    shared, grants = fresh(clock), []
    rules = [limiter.Rule("all", 100, 1), limiter.Rule("all", 1500, 60)]
    while clock.now < 1_800_000_000_000 + 180_000:
        grant = shared.ask(rules=rules, slow=[], wanted=50)
        grants.append((clock.now, grant.count))
        clock.pass_(max(grant.wait, 0.001))
    assert fullest(grants, 1000) <= 100
    assert fullest(grants, 60_000) <= 1500
    assert sum(count for _, count in grants) >= 0.95 * 3 * 1500


def test_a_clock_that_is_set_back_stops_nobody(own_redis: Server, clock: Clock) -> None:
    shared, rule = fresh(clock), limiter.Rule("all", 100, 1)
    greedy(shared, rule, clock, windows=3)
    clock.pass_(-7200)
    grants = greedy(shared, rule, clock, windows=10)
    assert fullest(grants, 1000) <= 100
    assert sum(count for _, count in grants) >= 0.85 * 1000


def test_what_is_given_back_can_be_used_again(own_redis: Server, clock: Clock) -> None:
    shared, rule = fresh(clock), limiter.Rule("all", 50, 3600)
    clock.pass_(7200)
    for _ in range(60):
        grant = shared.ask(rules=[rule], slow=[], wanted=1)
        assert grant.count == 1
        shared.give_back(grant=grant, count=1)
