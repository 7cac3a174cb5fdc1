"""What all workers of all hosts know together, in Redis. While that is away, a process knows its own part of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, cast

import redis

from core import redis_client

Value = TypeVar("Value")

# How long a mail server that could not be reached counts as away, unless it answers before: longer than the
# minute after which the sweeper runs again, so that this is known as long as there is anything to send.
AWAY_SECONDS: Final = 120.0


class SharedState:
    """State shared by all workers of all hosts, in Redis.

    Values and marks under one prefix, all of which expire. No method raises when Redis is away.
    """

    def __init__(self, *, prefix: str | None = None) -> None:
        self.prefix = prefix if prefix is not None else f"{redis_client.key('pace')}:"
        self._breaker = redis_client.CircuitBreaker(consequence="this process keeps to a share of the limits")
        # What this process marked, until when.
        self._marks: dict[str, float] = {}

    def ask_redis(self, question: Callable[[redis.Redis], Value]) -> Value | None:
        """What Redis answers; None while it is away."""
        return self._breaker.ask(question)

    def update(self, name: str, change: Callable[[str | None], tuple[object | None, float, Value]]) -> Value | None:
        """Replace one value by what `change` makes of it, with no other process between; None while Redis is away.

        `change` returns the new value, or None to leave the old one; for how many seconds it is kept; and what is
        returned here. It runs again if another process was faster.
        """
        key = self.prefix + name

        def transaction(pipe: redis.client.Pipeline) -> Value:
            stored: Any = pipe.get(key)
            value, seconds, result = change(None if stored is None else stored.decode())
            pipe.multi()
            if value is not None:
                pipe.set(key, str(value), px=_ms(seconds))
            return result

        # redis-py's types know of transactions without a result only.
        untyped: Any = transaction
        result: Any = self.ask_redis(lambda client: client.transaction(untyped, key, value_from_callable=True))
        return cast("Value | None", result)

    def once(self, *, name: str, seconds: float) -> bool:
        """True for the first caller of all processes in `seconds`; without Redis, for the first of this process."""
        is_first = self.ask_redis(lambda client: bool(client.set(self.prefix + name, 1, nx=True, px=_ms(seconds))))
        if is_first is not None:
            return is_first
        now = time.monotonic()
        if self._marks.get(name, 0.0) > now:
            return False
        self._marks[name] = now + seconds
        return True

    def rest(self, *, subject: str, seconds: float) -> None:
        """Have no process try a server for `seconds` if there is another; it is away until it is `reached`."""
        self._mark(f"rest:{subject}", seconds)
        self._mark(f"away:{subject}", max(seconds, AWAY_SECONDS))

    def reached(self, *, subject: str) -> None:
        """Note that the server answers."""
        names = [f"rest:{subject}", f"away:{subject}"]
        for name in names:
            self._marks.pop(name, None)
        self.ask_redis(lambda client: client.delete(*(self.prefix + name for name in names)))

    def resting(self, *, subjects: Sequence[str]) -> set[str]:
        """Those of the servers that are left alone now."""
        return self._marked("rest", subjects)

    def away(self, *, subjects: Sequence[str]) -> set[str]:
        """Those of the servers that could not be reached, and were not since."""
        return self._marked("away", subjects)

    def _mark(self, name: str, seconds: float) -> None:
        self._marks[name] = time.monotonic() + seconds
        self.ask_redis(lambda client: client.set(self.prefix + name, 1, px=_ms(seconds)))

    def _marked(self, kind: str, subjects: Sequence[str]) -> set[str]:
        marks: Any = self.ask_redis(lambda client: client.mget([f"{self.prefix}{kind}:{one}" for one in subjects]))
        if marks is None:
            now = time.monotonic()
            marks = [self._marks.get(f"{kind}:{one}", 0.0) > now for one in subjects]
        return {one for one, mark in zip(subjects, marks, strict=True) if mark}


def _ms(seconds: float) -> int:
    return max(1, int(seconds * 1000))
