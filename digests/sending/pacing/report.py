"""What the pace looks like from outside: read by pages, commands and figures. Nothing is moved from here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from digests.models import Issue
from digests.sending.pacing import rate_limits, warmup, windows
from postal import limiter
from postal.transports import relays


@dataclass(frozen=True, slots=True)
class Slowed:
    """A subject with a throttle: its copies per second now, and none at all for `held` seconds."""

    subject: str
    per_second: float
    held: float


@dataclass(frozen=True, slots=True)
class Pace:
    """The state of everything shared: limits whose window is full, slow-downs, servers that cannot be reached."""

    is_known: bool
    full: tuple[limiter.Rule, ...]
    throttles: tuple[Slowed, ...]
    routes: tuple[str, ...]
    away: frozenset[str]


@dataclass(frozen=True, slots=True)
class Hours:
    """When an issue may leave. `allowed` and `left` are its sender's copies of this day; None: no plan."""

    is_open: bool
    opens_at: datetime | None
    sender: str
    allowed: int | None
    left: int | None
    tomorrow: int | None
    day_ends_at: datetime


def pace() -> Pace:
    """As Redis has it; `is_known` is False while that is away."""
    shared = limiter.shared()
    routes = relays.routes()
    rules = [*rate_limits.overall(), *(rule for route in routes for rule in route.rules)]
    waits = {rule: shared.opens_in(rule=rule) for rule in rules if rule.seconds > 1}
    is_known, now = shared.look(), shared.now()
    throttles = shared.throttles() if is_known else {}
    return Pace(
        is_known=is_known,
        full=tuple(rule for rule, wait in waits.items() if wait),
        throttles=tuple(
            Slowed(subject, throttle.rate_at(now), max(0.0, throttle.until - now))
            for subject, throttle in sorted(throttles.items())
        ),
        routes=tuple(route.name for route in routes),
        away=frozenset(shared.away(subjects=[route.name for route in routes])),
    )


def hours(*, issue: Issue, now: datetime) -> Hours:
    """By the clock and by the plan of the sender's domain."""
    sender = warmup.sender_domain(issue=issue)
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return Hours(
        is_open=windows.is_open(issue=issue, now=now),
        opens_at=windows.opens_at(issue=issue, now=now),
        sender=sender,
        allowed=warmup.allowance(domain=sender, now=now),
        left=warmup.left(shared=limiter.shared(), domain=sender, now=now),
        tomorrow=warmup.allowance(domain=sender, now=midnight),
        day_ends_at=midnight,
    )
