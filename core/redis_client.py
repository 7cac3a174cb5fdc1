"""The Redis client of this process, besides those of cache and Celery. Its data may be lost; calls return quickly."""

import functools
import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

import redis
from django.conf import settings

log = logging.getLogger(__name__)
Value = TypeVar("Value")

# A server that does not answer costs its callers this much.
SECONDS_TO_WAIT: Final = 0.5
# After that it is left alone for so long.
REST_SECONDS: Final = 5.0


class CircuitBreaker:
    """Asks Redis for callers that can do without it: one that does not answer is asked again after REST_SECONDS."""

    def __init__(self, *, consequence: str) -> None:
        """`consequence` says in the log what follows while Redis is away."""
        self._consequence = consequence
        self.away_until = 0.0

    def ask(self, question: Callable[[redis.Redis], Value]) -> Value | None:
        """What Redis answers; None while it is away."""
        if time.monotonic() < self.away_until:
            return None
        try:
            return question(connect())
        except redis.RedisError:
            log.warning("Redis is away: %s", self._consequence)
            self.away_until = time.monotonic() + REST_SECONDS
            return None


def connect() -> redis.Redis:
    """This process's connections to REDIS_URL; made when they are first used. On failure, then: redis.RedisError."""
    return _connected(settings.REDIS_URL)


def key(*parts: object) -> str:
    """A key of this site: the server may serve others, and several test runs at once."""
    return ":".join([str(settings.CACHES["default"]["KEY_PREFIX"]), *map(str, parts)])


@functools.lru_cache(maxsize=4)
def _connected(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=SECONDS_TO_WAIT, socket_connect_timeout=SECONDS_TO_WAIT)
