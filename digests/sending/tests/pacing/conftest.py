"""Fixtures of the tests of pacing."""

from postal.tests.redis_server import clock, own_redis, pace

__all__ = ["clock", "own_redis", "pace"]
