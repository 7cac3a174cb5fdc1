"""The Redis client of this process, besides those of cache and Celery. Its data may be lost; calls return quickly."""

import functools
from typing import Final

import redis
from django.conf import settings

# A server that does not answer costs its callers this much.
SECONDS_TO_WAIT: Final = 0.5


def connect() -> redis.Redis:
    """This process's connections to REDIS_URL; made when they are first used. On failure, then: redis.RedisError."""
    return _connected(settings.REDIS_URL)


def key(*parts: object) -> str:
    """A key of this site: the server may serve others, and several test runs at once."""
    return ":".join([str(settings.CACHES["default"]["KEY_PREFIX"]), *map(str, parts)])


@functools.lru_cache(maxsize=4)
def _connected(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=SECONDS_TO_WAIT, socket_connect_timeout=SECONDS_TO_WAIT)
