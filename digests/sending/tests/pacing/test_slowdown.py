"""A server that says "too fast" is sent fewer copies by every lane, then more again; no attempt is used up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from digests.models import Issue
from digests.sending import lanes
from digests.sending.pacing import rate_limits
from digests.sending.tests.conftest import ScriptedTransport, accepted, states
from postal import backoff, limiter
from postal.tests.redis_server import Server
from postal.transports.base import Copy, Outcome, Phase
from tests.table import rows

Start = Callable[[int], Issue]


@pytest.fixture(autouse=True)
def _own_redis(own_redis: Server) -> Server:
    return own_redis


def accepted_of(*numbers: int) -> list[Outcome]:
    return [Outcome(number, "accepted", Phase.FINAL) for number in numbers]


@pytest.mark.django_db
@rows(("seconds", "share"), [(3600.0, 0.125), (0.0, 0.5)])
def test_what_is_refused_is_a_share_of_the_last_second_and_not_of_one_unlucky_batch(
    sending: Start, transport: Any, monkeypatch: pytest.MonkeyPatch, seconds: float, share: float
) -> None:
    monkeypatch.setattr(rate_limits, "SHARE_SECONDS", seconds)
    one, shares = rate_limits.RateLimiter(sending(1), transport), []
    monkeypatch.setattr(limiter.Limits, "slow_down", lambda _self, **asked: shares.append(asked["share"]))
    for first in range(0, 36, 12):
        one.learn(copies=[], results=accepted_of(*range(first, first + 12)))
    refused = [Outcome(number, "deferred", Phase.RCPT, "", "421 4.7.0") for number in range(36, 42)]
    one.learn(copies=[], results=[*refused, *accepted_of(*range(42, 48))])
    assert shares == [share]


@pytest.fixture
def _once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is due soon: the clock of a test's transaction does not move, and a lane would wait in vain."""
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
    sending: Start, transport: ScriptedTransport, verdict: Callable[[Copy], Outcome], own_redis: Server
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
def test_429_stops_the_whole_provider_for_all_lanes(sending: Start, transport: ScriptedTransport) -> None:
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
def test_one_slow_provider_of_readers_does_not_slow_the_others(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(60)
    readers = [delivery.subscriber for delivery in issue.deliveries.select_related("subscriber").order_by("pk")[:20]]
    for number, reader in enumerate(readers):
        assert reader is not None
        reader.address = reader.address_key = f"r{number}@busy.example"
        reader.save()

    def verdict(copy: Copy) -> Outcome:
        busy = copy.recipient.endswith("@busy.example")
        return too_fast("451 4.7.650", Phase.RCPT)(copy) if busy else accepted(copy)

    transport.verdict = verdict
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"deferred": 20, "accepted": 40}
    assert set(limiter.shared().throttles()) == {"domain:busy.example"}
