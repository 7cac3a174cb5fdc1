"""Limits of the readers' mail domains: their rows wait for their turn, the others go on."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from digests.models import Issue
from digests.sending import lanes
from digests.sending.pacing import domains, limits
from digests.sending.tests.conftest import ToldTransport, states
from digests.sending.tests.pacing.conftest import Server
from mailkit import addresses
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
    mixed: Callable[..., Issue], transport: ToldTransport, pace: Pace
) -> None:
    pace(DOMAINS={"slow.example": [(60, 3600)]})
    issue = mixed(60, at="slow.example", of_them=40)
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"accepted": 21, "deferred": 39}
    taken = [copy.recipient.rpartition("@")[2] for copy in transport.taken]
    assert taken.count("slow.example") == 1


def test_whoever_waits_for_a_turn_has_not_been_tried(
    mixed: Callable[..., Issue], transport: ToldTransport, pace: Pace
) -> None:
    pace(DOMAINS={"slow.example": [(60, 3600)]})
    issue = mixed(10, at="slow.example", of_them=10)
    lanes.run(issue_id=issue.pk, lane=0)
    waiting = issue.deliveries.filter(state="deferred")
    assert set(waiting.values_list("attempts", "reason")) == {(0, domains.REASON)}
    assert waiting.count() == 9


def test_turns_are_spread_at_the_pace_of_the_domain(
    mixed: Callable[..., Issue], transport: ToldTransport, pace: Pace
) -> None:
    pace(DOMAINS={"slow.example": [(60, 3600)]})
    issue = mixed(60, at="slow.example", of_them=60)
    before = timezone.now()
    lanes.run(issue_id=issue.pk, lane=0)
    due = sorted(one.due_at for one in issue.deliveries.filter(state="deferred") if one.due_at)
    assert len(due) == 59
    # One a minute: the line is about an hour long, over two claims.
    assert timedelta(minutes=45) < due[-1] - before < timedelta(minutes=80)
    for start in due:
        assert sum(start <= one < start + timedelta(minutes=10) for one in due) <= 16


@pytest.mark.django_db(transaction=True)  # the database's clock stands still within a transaction
def test_a_limited_domain_reaches_its_limit_and_never_exceeds_it(
    mixed: Callable[..., Issue], transport: ToldTransport, pace: Pace
) -> None:
    pace(DOMAINS={"slow.example": [(20, 1)]})
    issue = mixed(40, at="slow.example", of_them=40)
    left: list[float] = []
    transport.before = lambda copies: left.extend([time.monotonic()] * len(copies))
    lanes.run(issue_id=issue.pk, lane=0)
    # One run of one lane takes every turn as it comes; the pump's next minute is not waited for.
    assert set(issue.deliveries.values_list("state", "attempts")) == {("accepted", 1)}
    # A tenth more: a slow machine may be held up between a permit and the hand-over.
    assert max(sum(start <= one < start + 1 for one in left) for start in left) <= 22
    assert len({copy.recipient for copy in transport.taken}) == len(transport.taken) == 40


def test_a_limit_for_every_domain_is_each_ones_own(
    mixed: Callable[..., Issue], transport: ToldTransport, pace: Pace
) -> None:
    pace(DOMAINS={"*": [(60, 3600)], "free.example": []})
    issue = mixed(20, at="free.example", of_them=10)
    lanes.run(issue_id=issue.pk, lane=0)
    taken = [copy.recipient.rpartition("@")[2] for copy in transport.taken]
    assert taken.count("free.example") == 10
    assert taken.count("example.com") == 1


def test_the_limit_is_shared_by_issues(mixed: Callable[..., Issue], transport: ToldTransport, pace: Pace) -> None:
    pace(DOMAINS={"slow.example": [(60, 3600)]})
    first = mixed(5, at="slow.example", of_them=5)
    lanes.run(issue_id=first.pk, lane=0)
    permit = limits.shared().ask(rules=domains.rules_for("slow.example"), slow=[], wanted=5, crumbs=True)
    assert permit.count == 0


@pytest.mark.django_db(transaction=True)
def test_without_redis_a_limited_domain_goes_on_slowly(
    mixed: Callable[..., Issue], transport: ToldTransport, pace: Pace, own_redis: Server
) -> None:
    pace(DOMAINS={"slow.example": [(60, 3600)]})
    issue = mixed(10, at="slow.example", of_them=6)
    own_redis.stop()
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"accepted": 5, "deferred": 5}
