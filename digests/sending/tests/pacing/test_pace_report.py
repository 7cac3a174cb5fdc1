"""The report shows the limits that lanes keep to, and reading it changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from digests.models import Issue
from digests.sending.pacing import rate_limits, report, warmup, windows
from digests.sending.tests.conftest import frozen_issue
from postal import config, limiter
from postal.tests.redis_server import Clock, Server
from subscribers.models import Newsletter
from tests.table import rows

Pace = Callable[..., None]
ALL = limiter.Rule("all", 100, 3_600)


@pytest.fixture(autouse=True)
def _own_redis(own_redis: Server) -> Server:
    return own_redis


def test_a_limit_that_is_reached_is_named_until_it_allows_another_copy(settings: Any, pace: Pace) -> None:
    pace(per_second=5, per_hour=100)
    assert report.pace().full == ()
    assert limiter.shared().ask(rules=rate_limits.overall(), slow=[], wanted=1).count == 1
    assert report.pace().full == (), "the other four of a burst may leave"
    limiter.shared().ask(rules=[ALL], slow=[], wanted=4)
    assert report.pace().full == (ALL,), "seconds are too short to be spoken of"


def test_a_slow_down_is_shown_at_its_present_rate_until_it_is_over(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiter.shared(), "now", clock)
    limiter.shared().slow_down(subject="relay:a", base=40, hold=30)
    assert report.pace().throttles == (report.Slowed("relay:a", 20, 30),)
    clock.pass_(32.5)
    (slowed,) = report.pace().throttles
    assert slowed.per_second == pytest.approx(30)
    assert not slowed.held
    clock.pass_(3)
    assert report.pace().throttles == ()


def test_a_server_that_is_away_is_named(settings: Any) -> None:
    settings.EMAIL_TRANSPORT = "smtp"
    settings.RELAYS = [config.MailServer(host, 25) for host in ("a", "b")]
    limiter.shared().rest(subject="relay:a:25", seconds=30)
    seen = report.pace()
    assert (seen.routes, seen.away) == (("relay:a:25", "relay:b:25"), frozenset({"relay:a:25"}))


def test_without_redis_it_is_said_that_nothing_is_known(own_redis: Server, pace: Pace) -> None:
    pace(per_hour=10)
    own_redis.stop()
    seen = report.pace()
    assert (seen.is_known, seen.full, seen.throttles, seen.away) == (False, (), (), frozenset())


@rows(
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
    warmup.take(shared=limiter.shared(), domain="young.example", wanted=50, now=now)
    assert report.hours(issue=issue, now=now).left == 150
