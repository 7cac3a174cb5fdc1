"""When work that repeats was last done to its end, for those who watch this site.

A process that runs proves nothing: it may have lost its broker and wait for ever. A tick of the
clock that was done proves clock, broker, worker and database together. The hours are kept in Redis;
when that is empty or away nothing is known, which is no alarm by itself.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final, Literal

import redis
from django.core.cache import cache

from core import database_clock

log = logging.getLogger(__name__)

Work = Literal["clock", "returns"]
# The clock ticks once a minute, and a tick may take a minute itself.
LATE_SECONDS: Final = 180.0
# A host that differs by less than this from the database's clock works.
AHEAD_SECONDS: Final = database_clock.TOLERANCE.total_seconds()
# It refuses once a minute until its clock is right.
REFUSED_SECONDS: Final = 300


def beat(*, work: Work, now: datetime) -> None:
    """Note that the work was done. Never raises."""
    try:
        cache.set(f"heartbeat:{work}", now.timestamp(), timeout=None)
    except redis.RedisError:
        log.warning("Redis is away: the heartbeat of the %s is not noted", work)


def refuse(*, reason: str) -> None:
    """Note why this host does not do the clock's work, for some minutes. Never raises."""
    try:
        cache.set("heartbeat:refused", reason, timeout=REFUSED_SECONDS)
    except redis.RedisError:
        log.warning("Redis is away: it is not noted that this host's clock is wrong")


def refused() -> str:
    """Why a host did not do the clock's work within the last minutes; empty when none is known to have refused."""
    try:
        return str(cache.get("heartbeat:refused") or "")
    except redis.RedisError:
        return ""


def age(*, work: Work, now: datetime) -> float | None:
    """Seconds since the work was done; None when Redis does not know, or has an hour that is still to come."""
    try:
        noted = cache.get(f"heartbeat:{work}")
    except redis.RedisError:
        return None
    if noted is None or float(noted) > now.timestamp() + AHEAD_SECONDS:
        return None
    return max(0.0, now.timestamp() - float(noted))


def clock_is_late(*, now: datetime) -> bool:
    """Whether the clock's work is known and was done too long ago."""
    seconds = age(work="clock", now=now)
    return seconds is not None and seconds > LATE_SECONDS
