"""When each worker last finished a task: one that runs and takes none any more is found by its silence.

Redis hands tasks to idle workers in turn and the clock brings three each minute, so a healthy one is
never silent for long. Noted in Redis: without it no worker gets a task anyway.
"""

import logging
import time
from typing import Any, Final

import redis
from celery.signals import task_postrun

from publication import redis_client

log = logging.getLogger(__name__)

NOTE_SECONDS: Final = 5.0
# A worker that was stopped for good is forgotten after a day.
FORGET_SECONDS: Final = 86_400.0

_next_at = 0.0


@task_postrun.connect
def note(task: Any = None, **_signal: Any) -> None:
    """Note the hour, now and then. Never raises."""
    global _next_at  # noqa: PLW0603  # each child of a worker has its own
    request = getattr(task, "request", None)
    if request is None or not request.hostname or request.is_eager or time.monotonic() < _next_at:
        return
    _next_at = time.monotonic() + NOTE_SECONDS
    try:
        redis_client.connect().hset(redis_client.key("workers"), request.hostname, repr(time.time()))
    except redis.RedisError:
        log.warning("Redis is away: it is not noted that this worker works")


def ages() -> dict[str, float]:
    """Seconds since each worker of the last day finished a task; empty when Redis is away."""
    try:
        found: Any = redis_client.connect().hgetall(redis_client.key("workers"))
    except redis.RedisError:
        return {}
    seconds = {name.decode(): max(0.0, time.time() - float(noted)) for name, noted in found.items()}
    return {name: age for name, age in sorted(seconds.items()) if age < FORGET_SECONDS}
