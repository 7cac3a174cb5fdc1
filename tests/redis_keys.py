"""What the tests of this process keep in Redis, which no transaction rolls back and which outlives a whole run."""

import functools

import redis
from django.conf import settings


def forget() -> None:
    """Delete it all, and nothing of the other processes of the run: `cache.clear()` would empty the whole Redis."""
    for url in (settings.REDIS_URL, settings.CACHE_URL):
        client = _connected(url)
        if keys := client.keys(f"{settings.CACHES['default']['KEY_PREFIX']}:*"):
            client.delete(*keys)


@functools.cache
def _connected(url: str) -> redis.Redis:
    return redis.Redis.from_url(url)
