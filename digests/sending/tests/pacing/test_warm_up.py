"""A new sender's copies of a day: as many as planned, counted from the rows whatever Redis forgot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from digests.models import Issue
from digests.sending import lanes
from digests.sending.pacing import warmup
from digests.sending.tests.conftest import ScriptedTransport, states
from postal import config, limiter
from postal.tests.redis_server import Server

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]
Pace = Callable[..., None]
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _own_redis(own_redis: Server) -> Server:
    return own_redis


@pytest.fixture
def plan(pace: Pace) -> Callable[..., None]:
    def set_(count: int, *, growth: float = 2.0, began: int = 0, domain: str = "*") -> None:
        first = timezone.now().astimezone(UTC).date() - began * DAY
        pace(warm_up={domain: config.WarmUp(first, count, growth)})

    return set_


def test_the_allowance_grows_from_day_to_day_until_it_is_no_limit(pace: Pace) -> None:
    pace(warm_up={"news.example": config.WarmUp(date(2025, 5, 6), 200, 1.5)})
    noon = datetime(2025, 5, 6, 12, tzinfo=UTC)
    allowances = [warmup.allowance(domain="news.example", now=noon + days * DAY) for days in (-1, 0, 1, 2, 3, 90)]
    assert allowances == [0, 200, 300, 450, 675, None]
    assert warmup.allowance(domain="other.example", now=noon) is None


def test_a_day_ends_at_its_allowance(sending: Start, transport: ScriptedTransport, plan: Callable[..., None]) -> None:
    plan(20, began=1)
    issue = sending(60)
    for lane in (0, 1, 0):
        assert lanes.run(issue_id=issue.pk, lane=lane) is lanes.Ending.PACED
    assert states(issue) == {"accepted": 40, "pending": 20}


def test_flushall_makes_nobody_start_again(
    sending: Start, transport: ScriptedTransport, plan: Callable[..., None], own_redis: Server
) -> None:
    plan(30)
    issue = sending(60)
    for _ in range(3):
        lanes.run(issue_id=issue.pk, lane=0)
        own_redis.flush()
    assert len(transport.taken) == 30


def test_without_redis_the_rows_are_counted(
    sending: Start, transport: ScriptedTransport, plan: Callable[..., None], own_redis: Server, pace: Pace
) -> None:
    plan(30)
    pace(processes=2)
    own_redis.stop()
    issue = sending(60)
    lanes.run(issue_id=issue.pk, lane=0)
    assert len(transport.taken) == 30


def test_what_left_yesterday_does_not_count(
    sending: Start, transport: ScriptedTransport, plan: Callable[..., None], own_redis: Server
) -> None:
    plan(30)
    issue = sending(60)
    lanes.run(issue_id=issue.pk, lane=0)
    issue.deliveries.update(attempted_at=timezone.now() - DAY)
    own_redis.flush()
    lanes.run(issue_id=issue.pk, lane=0)
    assert len(transport.taken) == 60


def test_each_sender_has_its_own_allowance(
    sending: Start, transport: ScriptedTransport, plan: Callable[..., None], newsletter: Any
) -> None:
    newsletter.sender_address = "editor@new.example"
    newsletter.save()
    plan(5, domain="new.example")
    issue = sending(20)
    lanes.run(issue_id=issue.pk, lane=0)
    assert len(transport.taken) == 5
    newsletter.sender_address = "editor@old.example"
    newsletter.save()
    lanes.run(issue_id=issue.pk, lane=0)
    assert len(transport.taken) == 20


def left() -> int | None:
    """What Redis knows of today's allowance."""
    return warmup.left(shared=limiter.shared(), domain=warmup.house_domain(), now=timezone.now())


def take(wanted: int) -> int:
    return warmup.take(shared=limiter.shared(), domain=warmup.house_domain(), wanted=wanted, now=timezone.now())


def test_an_allowance_that_shrinks_is_not_paid_back(plan: Callable[..., None]) -> None:
    plan(9)
    assert take(9) == 9
    plan(5)
    assert (take(9), left()) == (0, 0)


def test_what_comes_back_after_redis_forgot_the_day_is_not_added_to_the_rows(
    plan: Callable[..., None], own_redis: Server
) -> None:
    plan(9)
    assert take(5) == 5
    own_redis.flush()
    warmup.give_back(shared=limiter.shared(), domain=warmup.house_domain(), count=5, now=timezone.now())
    assert left() == 9


def test_without_redis_a_process_takes_its_share_of_what_is_left(
    plan: Callable[..., None], own_redis: Server, pace: Pace, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(40)
    pace(processes=3)
    own_redis.stop()
    for used, granted in [(10, 10), (39, 1), (41, 0)]:
        monkeypatch.setattr(warmup, "used", lambda used=used, **_day: used)
        assert take(50) == granted


def test_what_is_not_used_of_an_allowance_stays_there(
    sending: Start, transport: ScriptedTransport, plan: Callable[..., None]
) -> None:
    plan(60)
    first = sending(3)
    second = sending(57)
    lanes.run(issue_id=first.pk, lane=0)
    lanes.run(issue_id=second.pk, lane=0)
    assert left() == 60 - len(transport.taken)


def test_what_a_limit_keeps_back_is_not_taken_from_the_day(
    sending: Start, transport: ScriptedTransport, plan: Callable[..., None], pace: Pace
) -> None:
    plan(60)
    pace(per_second=40)
    lanes.run(issue_id=sending(12).pk, lane=0)
    assert (left(), len(transport.taken)) == (48, 12)


def test_a_plan_of_long_ago_is_over_however_steep(pace: Pace) -> None:
    pace(warm_up={"*": config.WarmUp(date(2015, 1, 1), 1, 10.0)})
    assert warmup.allowance(domain="news.example", now=datetime(2025, 5, 6, tzinfo=UTC)) is None


def test_the_day_is_that_of_utc(pace: Pace) -> None:
    pace(warm_up={"*": config.WarmUp(date(2025, 5, 6), 100, 2.0)})
    evening = datetime(2025, 5, 6, 20, tzinfo=timezone.get_fixed_timezone(-300))
    assert warmup.allowance(domain="news.example", now=evening) == 200


def test_only_the_copies_of_this_sender_and_day_count(
    sending: Start, transport: ScriptedTransport, newsletter: Any
) -> None:
    lanes.run(issue_id=sending(3).pk, lane=0)
    now = timezone.now()
    assert warmup.used(domain=warmup.house_domain(), now=now) == 3
    assert warmup.used(domain="other.example", now=now) == 0
    newsletter.sender_address = "Desk@New.Example"
    newsletter.save()
    assert warmup.used(domain="new.example", now=now) == 3
    assert warmup.used(domain=warmup.house_domain(), now=now) == 0
    assert warmup.sender_domain(issue=Issue(newsletter=newsletter)) == "new.example"
    assert warmup.used(domain="new.example", now=now + DAY) == 0
