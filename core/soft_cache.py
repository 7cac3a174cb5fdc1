"""The cache for values that may be lost: while Redis is away nothing is known, and nobody gets an error."""

from typing import Any

import redis
from django.core.cache import cache


def read(key: str) -> Any:
    """The value; None if it is not known."""
    try:
        return cache.get(key)
    except redis.RedisError:
        return None


def claim(key: str, *, seconds: float) -> bool:
    """Whether the caller is the first to name this key within the time; True as well while Redis is away."""
    try:
        return cache.add(key, 1, timeout=seconds)
    except redis.RedisError:
        return True


def write(key: str, value: object, *, seconds: float | None) -> bool:
    """Store the value for this time; None: until the next one. False: Redis is away."""
    try:
        cache.set(key, value, timeout=seconds)
    except redis.RedisError:
        return False
    return True
