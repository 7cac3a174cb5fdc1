"""Limits of the readers' mail domains: their rows wait for their turn, the others go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from digests.models import Issue
from digests.sending import claims, lanes
from digests.sending.pacing import domains, rate_limits
from digests.sending.tests.conftest import ScriptedTransport, states
from mailkit import addresses
from postal import limiter, throttle
from postal.tests.redis_server import Server
from subscribers.models import Subscriber

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]
Pace = Callable[..., None]


@pytest.fixture(autouse=True)
def _own_redis(own_redis: Server) -> Server:
    return own_redis


@pytest.fixture
def mixed(sending: Start) -> Callable[..., Issue]:
    """An issue whose first readers are with one mail domain."""

    def start(count: int, *, at: str, of_them: int) -> Issue:
        issue = sending(count)
        for subscriber in Subscriber.objects.order_by("pk")[:of_them]:
            address = addresses.normalise(f"{subscriber.pk}@{at}")
            Subscriber.objects.filter(pk=subscriber.pk).update(address=address.address, address_key=address.key)
        return issue

    return start


def test_a_limited_domain_does_not_stop_the_others(
    mixed: Callable[..., Issue], transport: ScriptedTransport, pace: Pace
) -> None:
    pace(domains={"slow.example": [(10, 600)]})
    issue = mixed(60, at="slow.example", of_them=40)
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"accepted": 21, "deferred": 39}
    taken = [copy.recipient.rpartition("@")[2] for copy in transport.taken]
    assert taken.count("slow.example") == 1


def test_a_copy_that_waits_for_a_turn_has_not_been_tried(
    mixed: Callable[..., Issue], transport: ScriptedTransport, pace: Pace
) -> None:
    pace(domains={"slow.example": [(10, 600)]})
    issue = mixed(10, at="slow.example", of_them=10)
    lanes.run(issue_id=issue.pk, lane=0)
    waiting = issue.deliveries.filter(state="deferred")
    assert set(waiting.values_list("attempts", "reason")) == {(0, domains.REASON)}
    assert waiting.count() == 9


def test_turns_are_spread_at_the_pace_of_the_domain(
    mixed: Callable[..., Issue], transport: ScriptedTransport, pace: Pace
) -> None:
    pace(domains={"slow.example": [(10, 600)]})
    issue = mixed(60, at="slow.example", of_them=60)
    before = timezone.now()
    lanes.run(issue_id=issue.pk, lane=0)
    due = sorted(one.due_at for one in issue.deliveries.filter(state="deferred") if one.due_at)
    assert len(due) == 59
    # One a minute: the line is about an hour long, over two claims.
    assert timedelta(minutes=45) < due[-1] - before < timedelta(minutes=80)
    for start in due:
        assert sum(start <= one < start + timedelta(minutes=10) for one in due) <= 16


@pytest.mark.django_db(transaction=True)  # the database's clock does not move within a transaction
def test_a_limited_domain_reaches_its_limit_and_never_exceeds_it(
    mixed: Callable[..., Issue], transport: ScriptedTransport, pace: Pace
) -> None:
    pace(domains={"slow.example": [(20, 1)]})
    issue = mixed(40, at="slow.example", of_them=40)
    left: list[float] = []
    transport.before = lambda copies: left.extend([time.monotonic()] * len(copies))
    lanes.run(issue_id=issue.pk, lane=0)
    # One run of one lane takes every turn as it comes; the sweeper's next minute is not waited for.
    assert set(issue.deliveries.values_list("state", "attempts")) == {("accepted", 1)}
    # A tenth more: a slow machine may be held up between a grant and the hand-over.
    assert max(sum(start <= one < start + 1 for one in left) for start in left) <= 22
    assert len({copy.recipient for copy in transport.taken}) == len(transport.taken) == 40


def test_a_limit_for_every_domain_is_each_ones_own(
    mixed: Callable[..., Issue], transport: ScriptedTransport, pace: Pace
) -> None:
    pace(domains={"*": [(10, 600)], "free.example": []})
    issue = mixed(20, at="free.example", of_them=10)
    lanes.run(issue_id=issue.pk, lane=0)
    taken = [copy.recipient.rpartition("@")[2] for copy in transport.taken]
    assert taken.count("free.example") == 10
    assert taken.count("example.com") == 1


def test_the_limit_is_shared_by_issues(mixed: Callable[..., Issue], transport: ScriptedTransport, pace: Pace) -> None:
    pace(domains={"slow.example": [(10, 600)]})
    first = mixed(5, at="slow.example", of_them=5)
    lanes.run(issue_id=first.pk, lane=0)
    grant = limiter.shared().ask(rules=domains.rules_for("slow.example"), slow=[], wanted=5, partial_grant=True)
    assert grant.count == 0


@pytest.mark.django_db(transaction=True)
def test_without_redis_a_limited_domain_goes_on_slowly(
    mixed: Callable[..., Issue], transport: ScriptedTransport, pace: Pace, own_redis: Server
) -> None:
    pace(domains={"slow.example": [(10, 600)]})
    issue = mixed(10, at="slow.example", of_them=6)
    own_redis.stop()
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"accepted": 5, "deferred": 5}


def test_copies_to_a_domain_that_asked_for_patience_come_back_before_that_is_over(
    mixed: Callable[..., Issue], transport: ScriptedTransport, settings: Any
) -> None:
    """It has no limit of its own; what slowed it down was said by its servers."""
    # Within a test's transaction the database's clock does not move, and no turn would ever come.
    settings.SENDING = replace(settings.SENDING, lane_seconds=0.2)
    limiter.shared().slow_down(subject="domain:slow.example", base=4, hold=0)
    issue = mixed(20, at="slow.example", of_them=10)
    before = timezone.now()
    lanes.run(issue_id=issue.pk, lane=0)
    taken = [copy.recipient.rpartition("@")[2] for copy in transport.taken]
    assert taken.count("example.com") == 10
    due = sorted(one.due_at for one in issue.deliveries.filter(state="deferred") if one.due_at)
    assert len(due) >= 7
    # One after the other, and however few it takes now: it takes more by the second.
    assert due[-1] - before < timedelta(seconds=throttle.RECOVERY_SECONDS * 1.2 + 2)
    assert due[-1] - due[0] > timedelta(seconds=throttle.RECOVERY_SECONDS / 2)


def test_a_domain_that_asked_to_wait_gets_nothing_until_then(
    mixed: Callable[..., Issue], transport: ScriptedTransport
) -> None:
    limiter.shared().slow_down(subject="domain:slow.example", base=4, hold=600)
    issue = mixed(6, at="slow.example", of_them=3)
    before = timezone.now()
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"accepted": 3, "deferred": 3}
    due = [one.due_at for one in issue.deliveries.filter(state="deferred") if one.due_at]
    assert min(due) - before > timedelta(seconds=590)


def test_rows_that_were_taken_over_are_not_put_off(mixed: Callable[..., Issue], pace: Pace) -> None:
    pace(domains={"slow.example": [(10, 600)]})
    issue = mixed(4, at="slow.example", of_them=4)
    batch = claims.claim(issue_id=issue.pk, after=issue.copies_after, limit=4)
    assert batch is not None
    issue.deliveries.update(fence=batch.fence + 1)
    assert len(domains.defer_over_limit(batch=batch, shared=limiter.shared(), throttled=set()).ids) <= 1
    assert states(issue) == {"claimed": 4}


@pytest.mark.parametrize(("due_in", "patience", "slept"), [(2.9, 3.0, 0.5), (2.9, 0.0, 0.0), (-5.0, 3.0, 0.02)])
def test_a_turn_is_waited_for_a_moment_at_a_time_and_not_with_copies_on_the_wire(
    sending: Start,
    transport: Any,
    monkeypatch: pytest.MonkeyPatch,
    due_in: float,
    patience: float,
    slept: float,
) -> None:
    seen: list[float] = []
    one = rate_limits.RateLimiter(sending(1), transport)
    grant = one.grant(wanted=1, patience=patience)
    monkeypatch.setattr(domains, "next_turn", lambda *, issue_id: due_in)
    monkeypatch.setattr(time, "sleep", seen.append)
    batch = one.admit(batch=None, grant=grant)
    assert batch is not None
    assert not batch.ids
    assert seen == [slept]


def test_a_turn_that_is_far_away_is_left_to_the_clock(
    sending: Start, transport: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = rate_limits.RateLimiter(sending(1), transport)
    monkeypatch.setattr(domains, "next_turn", lambda *, issue_id: rate_limits.PATIENCE_SECONDS + 1)
    assert one.admit(batch=None, grant=one.grant(wanted=1)) is None
