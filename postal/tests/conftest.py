"""Fixtures of postal's tests."""

from postal.tests.redis_server import clock, limits, own_redis, pace

__all__ = ["clock", "limits", "own_redis", "pace"]
