"""What people are told of the pace is what the engine goes by, and looking at it moves nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from digests.models import Issue
from digests.sending.pacing import report, windows
from digests.sending.tests.conftest import frozen_issue
from digests.sending.tests.pacing.conftest import Clock, Server
from postal import config, limiter
from subscribers.models import Newsletter

Pace = Callable[..., None]
ALL = limiter.Rule("all", 100, 3_600)


@pytest.fixture(autouse=True)
def _own_redis(own_redis: Server) -> Server:
    return own_redis


def test_what_a_window_has_left_is_what_can_still_be_taken(clock: Clock) -> None:
    shared = limiter.Limits(clock=clock)
    assert shared.left(rule=ALL) == 100
    taken = 0
    while taken < 100:
        taken += shared.ask(rules=[ALL], slow=[], wanted=10).count
        clock.pass_(30)
        assert shared.left(rule=ALL) == 100 - taken
    assert shared.ask(rules=[ALL], slow=[], wanted=1).count == 0
    clock.pass_(3_700)
    assert shared.left(rule=ALL) == 100


def test_a_slow_down_is_shown_at_its_present_rate_until_it_is_over(clock: Clock) -> None:
    shared = limiter.Limits(clock=clock)
    shared.slow_down(subject="relay:a", base=40, hold=30)
    (throttle,) = shared.throttles() or []
    assert (throttle.subject, throttle.per_second, throttle.held) == ("relay:a", 20, 30)
    clock.pass_(32.5)
    (throttle,) = shared.throttles() or []
    assert throttle.per_second == pytest.approx(30)
    told = shared.ask(rules=[], slow=["relay:a"], wanted=1).slowed_to
    assert told == pytest.approx(throttle.per_second, abs=0.01)
    clock.pass_(3)
    assert shared.throttles() == []


def test_a_server_that_rests_and_a_window_that_is_full_are_named(settings: Any, pace: Pace) -> None:
    settings.EMAIL_TRANSPORT = "smtp"
    settings.RELAYS = [config.MailServer(host, 25) for host in ("a", "b")]
    pace(per_hour=10)
    limiter.shared().rest(subject="relay:a:25", seconds=30)
    assert limiter.shared().ask(rules=[limiter.Rule("all", 10, 3_600)], slow=[], wanted=10).count == 1
    found = report.pace()
    assert (found.routes, found.away, found.full) == (("relay:a:25", "relay:b:25"), frozenset({"relay:a:25"}), ())
    pace(per_hour=1)
    assert report.pace().full == (limiter.Rule("all", 1, 3_600),)


def test_without_redis_it_is_said_that_nothing_is_known(own_redis: Server, pace: Pace) -> None:
    pace(per_hour=10)
    own_redis.stop()
    found = report.pace()
    assert (found.is_known, found.full, found.throttles, found.away) == (False, (), (), frozenset())


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        (datetime(2026, 11, 22, 4, tzinfo=UTC), datetime(2026, 11, 22, 6, tzinfo=UTC)),
        (datetime(2026, 11, 22, 12, tzinfo=UTC), datetime(2026, 11, 23, 6, tzinfo=UTC)),
        # The hour of 29 March 2026 that does not exist in Berlin.
        (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 5, tzinfo=UTC)),
    ],
)
def test_when_the_hours_begin_again(newsletter: Newsletter, pace: Pace, now: datetime, opens: datetime) -> None:
    newsletter.time_zone = "Europe/Berlin"
    pace(hours=(time(7), time(21)))
    assert windows.opens_at(issue=Issue(newsletter=newsletter), now=now) == opens


def test_what_a_plan_has_left_today(newsletter: Newsletter, pace: Pace) -> None:
    newsletter.sender_address = "news@young.example"
    newsletter.save()
    pace(warm_up={"young.example": config.WarmUp(date(2026, 11, 22), 200, 1.5)})
    issue, now = frozen_issue(newsletter), datetime(2026, 11, 22, 12, tzinfo=UTC)
    before = report.hours(issue=issue, now=now)
    assert (before.sender, before.allowed, before.left, before.tomorrow) == ("young.example", 200, 200, 300)
    assert before.day_ends_at == datetime(2026, 11, 23, tzinfo=UTC)
    limiter.shared().allow(name="warmup:young.example:2026-11-22", allowance=200, wanted=50, count=lambda: 0)
    assert report.hours(issue=issue, now=now).left == 150
