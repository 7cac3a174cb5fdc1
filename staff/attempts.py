"""Counts attempts to sign in, in Redis; while Redis is away, in this process.

Neither way out would do: without a count anybody could guess for as long as Redis is away, and if every sign-in
were refused, nobody could come in and pause what Redis's absence disturbs. So each web process then counts on
its own, and a guesser has the limit once per process.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

import redis
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

log = logging.getLogger(__name__)

# A Redis that did not answer is left alone for so long, so that not every step of a sign-in waits for it.
REST_SECONDS: Final = 5.0


class AttemptsCache(RedisCache):
    """Django's cache in Redis, with the memory of this process beside it."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._local = LocMemCache("attempts", {"KEY_PREFIX": self.key_prefix})
        self._away_until = 0.0

    def get(self, *args: Any, **options: Any) -> Any:
        """As Django's."""
        return self._ask(super().get, self._local.get, *args, **options)

    def set(self, *args: Any, **options: Any) -> None:
        """As Django's."""
        self._ask(super().set, self._local.set, *args, **options)

    def add(self, *args: Any, **options: Any) -> bool:
        """As Django's."""
        return bool(self._ask(super().add, self._local.add, *args, **options))

    def delete(self, *args: Any, **options: Any) -> bool:
        """As Django's."""
        return bool(self._ask(super().delete, self._local.delete, *args, **options))

    def _ask(self, shared: Callable[..., Any], local: Callable[..., Any], *args: Any, **options: Any) -> Any:
        if time.monotonic() < self._away_until:
            return local(*args, **options)
        try:
            return shared(*args, **options)
        except redis.RedisError:
            log.warning("Redis is away: each process counts attempts to sign in on its own")
            self._away_until = time.monotonic() + REST_SECONDS
            return local(*args, **options)
