"""Whoever says "too fast" is asked less often by everybody, then gradually more; no attempt is spent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from digests.models import Issue
from digests.sending import lanes
from digests.sending.pacing import rate_limits
from digests.sending.tests.conftest import ToldTransport, accepted, states
from digests.sending.tests.pacing.conftest import Clock, Server
from postal import backoff, limiter, slowdown
from postal.transports.base import Copy, Outcome, Phase

Start = Callable[[int], Issue]
ROUTE = "relay:mx:25"


@pytest.fixture(autouse=True)
def _own_redis(own_redis: Server) -> Server:
    return own_redis


def outcome(
    code: str, phase: Phase = Phase.RCPT, *, number: int = 1, reason: str = "", retry_after: int | None = None
) -> Outcome:
    return Outcome(number, "deferred", phase, reason, code, retry_after=retry_after)


def test_a_session_too_many_slows_nobody_down() -> None:
    """A server with room for three sessions must not be sent one copy a second."""
    assert slowdown.complaints(outcomes=[outcome("421 4.7.0", Phase.SESSION)], domains={}, route=ROUTE) == {}
    asked = slowdown.complaints(outcomes=[outcome("429", Phase.SESSION, retry_after=7)], domains={}, route=ROUTE)
    assert asked == {ROUTE: slowdown.Complaint(share=1, part=1, hold=7)}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (outcome("421 4.7.0"), True),
        (outcome("421"), True),
        (outcome("451 4.7.650"), True),
        (outcome("450 4.7.28"), True),
        (outcome("429", Phase.FINAL, retry_after=60), True),
        (outcome("450 4.2.2"), False),
        (outcome("451 4.3.0"), False),
        (outcome("450 4.7.1", reason="Greylisted, try again later"), False),
        (outcome("454", reason="Throttling failure: Maximum sending rate exceeded."), True),
        (outcome("450", reason="Too many messages from you"), True),
        (outcome("452 4.5.3", reason="Too many recipients"), False),
        (outcome("", Phase.CONNECT), False),
        (Outcome(1, "rejected", Phase.RCPT, "", "550 5.7.1"), False),
        (Outcome(1, "deferred", Phase.SESSION, "", "421 4.7.0", about_us=True), False),
    ],
)
def test_what_means_too_fast(told: Outcome, expected: bool) -> None:
    assert slowdown.is_too_fast(told) is expected


def accepted_of(*numbers: int) -> list[Outcome]:
    return [Outcome(number, "accepted", Phase.FINAL) for number in numbers]


def test_a_readers_provider_is_slowed_alone_and_three_of_them_are_the_relay() -> None:
    names = {number: f"d{number}.example" for number in range(8)}
    one = [outcome("451 4.7.650", number=1), *accepted_of(2, 3, 4)]
    complaints = slowdown.complaints(outcomes=one, domains=names, route=ROUTE)
    assert complaints == {"domain:d1.example": slowdown.Complaint(share=1, part=0.25, hold=0)}
    several = [*(outcome("451 4.7.650", number=number) for number in (1, 2, 3)), *accepted_of(4, 5, 6)]
    complaints = slowdown.complaints(outcomes=several, domains=names, route=ROUTE)
    assert complaints == {ROUTE: slowdown.Complaint(share=0.5, part=1, hold=0)}
    closing = [outcome("421 4.7.0", number=1), outcome("450 4.2.1", number=2)]
    assert list(slowdown.complaints(outcomes=closing, domains=names, route=ROUTE)) == [ROUTE]


def test_a_domain_is_judged_by_its_own_copies() -> None:
    names = dict.fromkeys(range(4), "big.example") | dict.fromkeys(range(4, 10), "other.example")
    results = [outcome("451 4.7.650", number=0), *accepted_of(*range(1, 10))]
    complaints = slowdown.complaints(outcomes=results, domains=names, route=ROUTE)
    assert complaints == {"domain:big.example": slowdown.Complaint(share=0.25, part=0.4, hold=0)}


def rate(shared: limiter.Limits) -> float:
    return shared.ask(rules=[], slow=[ROUTE], wanted=1, partial_grant=True).slowed_to


def test_a_slow_down_halves_and_comes_back_evenly(clock: Clock) -> None:
    shared = limiter.Limits(clock=clock, prefix="halves:")
    shared.slow_down(subject=ROUTE, base=100, hold=0)
    rates = [rate(shared)]
    for _ in range(3):
        clock.pass_(1.5)
        rates.append(rate(shared))
    assert rates == pytest.approx([50, 65, 80, 95], rel=0.01)
    clock.pass_(0.6)
    assert rate(shared) == 0, "it is over"


@pytest.mark.parametrize(("share", "left"), [(0.03, 97), (0.3, 70), (0.5, 50), (0.9, 50)])
def test_it_falls_by_what_was_refused_and_by_half_at_most(clock: Clock, share: float, left: float) -> None:
    shared = limiter.Limits(clock=clock, prefix="falls:")
    shared.slow_down(subject=ROUTE, base=100, hold=0, share=share)
    assert rate(shared) == pytest.approx(left, rel=0.01)


def test_several_lanes_complain_once(clock: Clock) -> None:
    shared, other = (limiter.Limits(clock=clock, prefix="once:") for _ in range(2))
    for one in (shared, other, shared):
        one.slow_down(subject=ROUTE, base=64, hold=0)
    assert rate(other) == pytest.approx(32, rel=0.01)


def test_a_server_that_refuses_everything_is_asked_every_other_second_in_the_end(clock: Clock) -> None:
    shared = limiter.Limits(clock=clock, prefix="all:")
    for _ in range(20):
        shared.slow_down(subject=ROUTE, base=1000, hold=0)
        clock.pass_(1.1)
    assert rate(shared) == pytest.approx(0.6, rel=0.1)
    clock.pass_(10)
    assert rate(shared) == 0, "ten quiet seconds, and nothing is left of it"


@pytest.mark.parametrize(("share", "least"), [(0.03, 100), (0.1, 95), (0.3, 30)])
def test_refused_now_and_then_the_rate_stays_within_reach(clock: Clock, share: float, least: float) -> None:
    """It comes back by a tenth of where it began each second, however often somebody complains."""
    shared, lowest = limiter.Limits(clock=clock, prefix="then:"), 1000.0
    for _ in range(300):
        shared.slow_down(subject=ROUTE, base=100, hold=0, share=share)
        clock.pass_(1.05)
        lowest = min(lowest, rate(shared) or 100)
    assert lowest >= least


def test_a_server_that_takes_ten_a_second_is_soon_asked_for_little_more(clock: Clock) -> None:
    shared = limiter.Limits(clock=clock, prefix="ten:")
    asked = 1000.0
    for _ in range(60):
        if asked > 10:
            shared.slow_down(subject=ROUTE, base=1000, hold=0, share=1 - 10 / asked)
        clock.pass_(1.05)
        asked = rate(shared) or 1000.0
    assert 10 <= asked <= 20


def test_retry_after_holds_everybody_for_that_long(clock: Clock) -> None:
    shared, other = (limiter.Limits(clock=clock, prefix="held:") for _ in range(2))
    shared.slow_down(subject=ROUTE, base=100, hold=120)
    for _ in range(11):
        clock.pass_(10)
        assert other.ask(rules=[], slow=[ROUTE], wanted=50, partial_grant=True).count == 0
    clock.pass_(11)
    assert other.ask(rules=[], slow=[ROUTE], wanted=50, partial_grant=True).count > 0


def test_a_slowed_rate_is_kept_by_all_together(clock: Clock) -> None:
    shared, other = (limiter.Limits(clock=clock, prefix="kept:") for _ in range(2))
    shared.slow_down(subject=ROUTE, base=40, hold=0)
    count = 0
    for _ in range(45):
        clock.pass_(0.1)
        count += sum(one.ask(rules=[], slow=[ROUTE], wanted=50, partial_grant=True).count for one in (shared, other))
    # Four and a half seconds from 20 to 38 a second, and what may go at once.
    assert 110 <= count <= 180


def test_a_clock_set_back_holds_nobody_for_the_difference(clock: Clock) -> None:
    shared = limiter.Limits(clock=clock, prefix="back:")
    shared.slow_down(subject=ROUTE, base=40, hold=5)
    clock.pass_(-7200)
    rate(shared)
    clock.pass_(10)
    assert shared.ask(rules=[], slow=[ROUTE], wanted=1, partial_grant=True).count == 1


def test_without_redis_the_process_itself_slows_down(own_redis: Server) -> None:
    shared = limiter.Limits(prefix="alone:")
    own_redis.stop()
    shared.slow_down(subject=ROUTE, base=10, hold=60)
    grant = shared.ask(rules=[], slow=[ROUTE], wanted=50)
    assert (grant.count, grant.wait > 50) == (0, True)


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "share"), [(3600.0, 0.125), (0.0, 0.5)])
def test_what_is_refused_is_a_share_of_the_last_second_and_not_of_one_unlucky_batch(
    sending: Start, transport: Any, monkeypatch: pytest.MonkeyPatch, seconds: float, share: float
) -> None:
    monkeypatch.setattr(rate_limits, "SHARE_SECONDS", seconds)
    one, shares = rate_limits.RateLimiter(sending(1), transport), []
    monkeypatch.setattr(limiter.Limits, "slow_down", lambda _self, **asked: shares.append(asked["share"]))
    for first in range(0, 36, 12):
        one.learn(copies=[], results=accepted_of(*range(first, first + 12)))
    refused = [outcome("421 4.7.0", number=number) for number in range(36, 42)]
    one.learn(copies=[], results=[*refused, *accepted_of(*range(42, 48))])
    assert shares == [share]


@pytest.fixture
def _once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is due soon: in a test's transaction the database's clock stands still, and a lane would wait in vain."""
    monkeypatch.setattr(backoff, "SOON", [60.0])


def too_fast(code: str, phase: Phase, *, retry_after: int | None = None) -> Callable[[Copy], Outcome]:
    def verdict(copy: Copy) -> Outcome:
        return Outcome(copy.delivery_id, "deferred", phase, "too fast", code, retry_after=retry_after)

    return verdict


@pytest.mark.usefixtures("_once")
@pytest.mark.django_db
@pytest.mark.parametrize(
    "verdict", [too_fast("421 4.7.0", Phase.MAIL), too_fast("429", Phase.FINAL, retry_after=30)], ids=["421", "429"]
)
def test_being_too_fast_spends_no_attempt_and_everybody_gets_a_copy(
    sending: Start, transport: ToldTransport, verdict: Callable[[Copy], Outcome], own_redis: Server
) -> None:
    # A batch, and one copy more: what a slow-down leaves is one in two seconds.
    issue = sending(51)
    transport.verdict = verdict
    ending = lanes.run(issue_id=issue.pk, lane=0)
    assert set(issue.deliveries.filter(state="deferred").values_list("attempts", flat=True)) == {0}
    assert (ending is lanes.Ending.PACED) == ("pending" in states(issue))
    own_redis.flush()
    transport.verdict = accepted
    issue.deliveries.filter(state="deferred").update(due_at=timezone.now() - timedelta(hours=1))
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"accepted": 51}
    assert len({copy.recipient for copy in transport.taken}) == len(transport.taken) == 51


@pytest.mark.django_db
def test_429_stops_the_whole_provider_for_all_lanes(sending: Start, transport: ToldTransport) -> None:
    issue = sending(60)
    transport.verdict = too_fast("429", Phase.FINAL, retry_after=30)
    lanes.run(issue_id=issue.pk, lane=0)
    batches: list[int] = []
    transport.before = lambda copies: batches.append(len(copies))
    assert lanes.run(issue_id=issue.pk, lane=1) is lanes.Ending.PACED
    assert batches == []
    assert states(issue) == {"deferred": 50, "pending": 10}


@pytest.mark.usefixtures("_once")
@pytest.mark.django_db
def test_one_slow_provider_of_readers_does_not_slow_the_others(sending: Start, transport: ToldTransport) -> None:
    issue = sending(150)
    readers = [delivery.subscriber for delivery in issue.deliveries.select_related("subscriber").order_by("pk")[:50]]
    for number, reader in enumerate(readers):
        assert reader is not None
        reader.address = reader.address_key = f"r{number}@busy.example"
        reader.save()

    def verdict(copy: Copy) -> Outcome:
        busy = copy.recipient.endswith("@busy.example")
        return too_fast("451 4.7.650", Phase.RCPT)(copy) if busy else accepted(copy)

    transport.verdict = verdict
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"deferred": 50, "accepted": 100}
    assert limiter.shared().slowed() == {"domain:busy.example"}
