"""Heartbeats of scheduled work: when it was last completed.

A running process proves nothing: it may have lost its broker and wait forever. A completed tick proves that
beat, broker, worker and database work together. The times are in Redis. If Redis is empty or away nothing is
known, which is no alarm by itself.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final, Literal

from core import database_clock, soft_cache

log = logging.getLogger(__name__)

Work = Literal["clock", "returns"]
# A tick is due each minute, and may itself take a minute.
LATE_SECONDS: Final = 180.0
# A host may differ by this much from the database's clock.
AHEAD_SECONDS: Final = database_clock.TOLERANCE.total_seconds()
# A host refuses each minute until its clock is right.
REFUSED_SECONDS: Final = 300


def beat(*, work: Work, now: datetime) -> None:
    """Record that the work was completed. Never raises."""
    if not soft_cache.write(f"heartbeat:{work}", now.timestamp(), seconds=None):
        log.warning("Redis is away: the heartbeat of the %s is not recorded", work)


def refuse(*, reason: str) -> None:
    """Record, for some minutes, why this host refuses scheduled work. Never raises."""
    if not soft_cache.write("heartbeat:refused", reason, seconds=REFUSED_SECONDS):
        log.warning("Redis is away: it is not recorded that this host's clock is wrong")


def refused() -> str:
    """Why a host refused scheduled work within the last minutes; empty if none is known to have refused."""
    return str(soft_cache.read("heartbeat:refused") or "")


def age(*, work: Work, now: datetime) -> float | None:
    """Seconds since the work was completed; None if Redis does not know, or has a time in the future."""
    noted = soft_cache.read(f"heartbeat:{work}")
    if noted is None or float(noted) > now.timestamp() + AHEAD_SECONDS:
        return None
    return max(0.0, now.timestamp() - float(noted))


def clock_is_late(*, now: datetime) -> bool:
    """Whether the last completed tick is known and too old."""
    seconds = age(work="clock", now=now)
    return seconds is not None and seconds > LATE_SECONDS
