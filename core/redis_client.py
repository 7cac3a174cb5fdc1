"""The applications' way to Redis besides cache and Celery. What is noted there may be lost; nobody waits long."""

import functools
from typing import Final

import redis
from django.conf import settings

# A server that does not answer costs whoever asks this much.
SECONDS_TO_WAIT: Final = 0.5


def connect() -> redis.Redis:
    """This process's connections to REDIS_URL; made when they are first used. On failure, then: redis.RedisError."""
    return _connected(settings.REDIS_URL)


def key(*parts: object) -> str:
    """A key of this house: the server may serve others, and tests beside each other."""
    return ":".join([str(settings.CACHES["default"]["KEY_PREFIX"]), *map(str, parts)])


@functools.lru_cache(maxsize=4)
def _connected(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=SECONDS_TO_WAIT, socket_connect_timeout=SECONDS_TO_WAIT)
