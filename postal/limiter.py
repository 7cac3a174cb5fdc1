"""How many copies may leave now, decided in one place for all workers of all hosts.

A limit is a cell of GCRA, the generic cell rate algorithm: Redis keeps one time for it, when the next copy would be
due if all were evenly spaced, and a copy may leave earlier by a small burst. No window of the limit's length holds
more than the limit, wherever it begins, and at least 95 % of it is reached when there is enough to send.

While Redis is away each process keeps to a share: the limit divided by the number of processes that asked lately.
It goes on sending, never faster than the limit, usually slower.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import redis
from django.conf import settings

from core import redis_client
from postal.shared_state import SharedState
from postal.throttle import RECOVERY_SECONDS, Throttle, first_refusal

# This part of a limit may leave at once. The rest is spaced a little wider, so that both together are the limit.
BURST: Final = 0.05
# A batch costs the same however small it is: less than half a burst, or than what this time adds, is refused.
PORTION_SECONDS: Final = 0.5
# A process that has not registered for this long has no share.
CLIENT_SECONDS: Final = 600.0
MAX_QUEUE_SECONDS: Final = 3_600.0

# KEYS: the cells. ARGV: the time in ms, or nothing for the server's own; how many copies are wanted, and the fewest
# that are worth it (below zero they come back); for each cell the ms between two copies, and its burst.
# Returns how many are granted, the time, and a wait in ms: if none are granted, until it makes sense to ask again;
# otherwise how long these copies are ahead of schedule.
GCRA: Final = """
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + time[2] / 1000
end
local granted, least, due, ahead, wait = tonumber(ARGV[2]), tonumber(ARGV[3]), {}, 0, 1
for i, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[2 + 2 * i]), tonumber(ARGV[3 + 2 * i])
  due[i] = math.max(now, tonumber(redis.call('GET', key) or now))
  -- Further ahead than any grant leaves it: the clock was set back.
  if due[i] > now + (burst + 1) * interval then due[i] = now end
  -- A microsecond is rounded away.
  granted = math.min(granted, math.floor(burst - (due[i] - now - 0.001) / interval))
  ahead = math.max(ahead, due[i] - now)
  wait = math.max(wait, due[i] - now + (least - burst) * interval)
end
if granted < least then return {0, math.floor(now), math.ceil(wait)} end
for i, key in ipairs(KEYS) do
  due[i] = due[i] + granted * tonumber(ARGV[2 + 2 * i])
  redis.call('SET', key, string.format('%.6f', due[i]), 'PX', math.ceil(math.max(0, due[i] - now)) + 60000)
end
return {granted, math.floor(now), math.ceil(ahead)}
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """What GCRA needs of a limit: where its time is kept, the seconds between two copies, and how many at once."""

    key: str
    interval: float
    burst: int

    def shared_by(self, clients: int) -> Cell:
        """One client's share of it."""
        return Cell(self.key, self.interval * clients, max(1, self.burst // clients))


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """At most `limit` copies for `subject` in any `seconds`."""

    subject: str
    limit: int
    seconds: int

    @property
    def cell(self) -> Cell:
        """In any `seconds` it grants a burst, and what its interval adds meanwhile: together the limit."""
        burst = max(1, int(self.limit * BURST))
        return Cell(f"{self.subject}:{self.seconds}", self.seconds / (self.limit - burst + 1), burst)


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """`count` copies may leave; if 0, asking again makes sense after `wait` seconds."""

    count: int
    wait: float = 0.0
    cells: tuple[Cell, ...] = ()
    # The server's clock in ms when it was granted; None: granted without the server.
    at: int | None = None
    # The relay or provider that it is for.
    route: str = ""


class Limits(SharedState):
    """One process's access to the shared limits. `clock` (seconds) is for tests: cells go by the server's own."""

    def __init__(self, *, clock: Callable[[], float] | None = None, prefix: str | None = None) -> None:
        super().__init__(prefix=prefix)
        self.now = clock or time.time
        self._is_tested = clock is not None
        self._fallback = LocalFallback(clock=self.now)
        self._name = f"{uuid.uuid4().hex[:8]}-{os.getpid()}"
        self._clients = 1
        self._throttles: dict[str, Throttle] = {}

    @property
    def share(self) -> int:
        """How many processes a limit is divided among while Redis is away."""
        return max(self._clients, settings.PACING.processes)

    def ask(self, *, rules: Sequence[Rule], slow: Sequence[str], wanted: int, partial_grant: bool = False) -> Grant:
        """Take up to `wanted` copies that every rule, and every throttle of the `slow` subjects, allows.

        Fewer than a sensible portion are refused, unless a `partial_grant` is welcome. Throttles are known as of
        the last `look`.
        """
        now, throttles = self.now(), self.throttles()
        throttled = {subject: throttles[subject] for subject in slow if subject in throttles}
        held = max([throttle.until - now for throttle in throttled.values()], default=0.0)
        if held > 0:
            return Grant(0, held)
        cells = [rule.cell for rule in rules] + [_cell(subject, one.rate_at(now)) for subject, one in throttled.items()]
        if not cells:
            return Grant(wanted)
        grant = self._take(cells, wanted, 1 if partial_grant else _portion(cells, wanted))
        if grant is None:
            cells = [cell.shared_by(self.share) for cell in cells]
            grant = self._fallback.take(cells, wanted, 1 if partial_grant else _portion(cells, wanted))
        return grant

    def give_back(self, *, grant: Grant, count: int) -> None:
        """Return what was not used, so that it does not count. What was granted without Redis is forgotten."""
        if count and grant.at is not None:
            self._take(grant.cells, -count, -count)

    def queue(self, *, subject: str, count: int, per_second: float) -> float:
        """Join the subject's line with `count` copies; return the seconds until the first one's turn."""
        line = Cell(f"line:{subject}", 1 / per_second, max(1, int(MAX_QUEUE_SECONDS * per_second)))
        place = self._take([line], count, count)
        if place is None:
            return 1.0
        return place.wait if place.count else MAX_QUEUE_SECONDS

    def opens_in(self, *, rule: Rule) -> float | None:
        """Seconds until the rule allows another copy, to look at; None while Redis is away."""
        cell = rule.cell
        due = self.ask_redis(lambda client: float(client.get(self.prefix + cell.key) or 0) / 1000)
        return None if due is None else max(0.0, due - self.now() - (cell.burst - 1) * cell.interval)

    def _take(self, cells: Sequence[Cell], wanted: int, least: int) -> Grant | None:
        now = self.now() * 1000 if self._is_tested else ""
        keys = [self.prefix + cell.key for cell in cells]
        numbers = [number for cell in cells for number in (cell.interval * 1000, cell.burst)]
        result = self.ask_redis(lambda client: _script()(keys=keys, args=[now, wanted, least, *numbers], client=client))
        if result is None:
            return None
        granted, at, wait = result
        return Grant(granted, wait / 1000, tuple(cells), at)

    def register(self) -> None:
        """Have this process counted among those that share the limits, and see how many they are."""

        def count(client: redis.Redis) -> int:
            with client.pipeline() as pipe:
                pipe.zadd(clients, {self._name: now})
                pipe.zremrangebyscore(clients, "-inf", now - CLIENT_SECONDS)
                pipe.zremrangebyscore(clients, now + CLIENT_SECONDS, "+inf")
                pipe.expire(clients, int(CLIENT_SECONDS))
                pipe.zcard(clients)
                return int(pipe.execute()[-1])

        now, clients = self.now(), self.prefix + "clients"
        self._clients = self.ask_redis(count) or self._clients

    def look(self) -> bool:
        """Read what all processes know of throttles; False while Redis is away."""
        throttles = self.ask_redis(lambda client: _decoded(client.get(self.prefix + "throttles")))
        if throttles is not None:
            self._throttles = throttles
        return throttles is not None

    def throttles(self) -> dict[str, Throttle]:
        """The throttles in force, as of the last `look`."""
        now = self.now()
        return {subject: throttle for subject, throttle in self._throttles.items() if not throttle.is_over(now)}

    def slow_down(self, *, subject: str, base: float, hold: float, share: float = 1.0) -> None:
        """Throttle a subject that refused `share` of its copies, for all processes. It took `base` a second before."""

        def refused(throttles: dict[str, Throttle]) -> dict[str, Throttle]:
            running = {name: throttle for name, throttle in throttles.items() if not throttle.is_over(now)}
            lower = running[subject].refused if subject in running else first_refusal
            return running | {subject: lower(share=share, base=base, hold=hold, now=now)}

        def change(stored: str | None) -> tuple[str, float, dict[str, Throttle]]:
            throttles = refused(_decoded(stored))
            ends = max(throttle.until for throttle in throttles.values())
            return _encoded(throttles), ends - now + 2 * RECOVERY_SECONDS, throttles

        now = self.now()
        self._throttles = self.update("throttles", change) or refused(self._throttles)


class LocalFallback:
    """GCRA within one process that cannot ask the others. `clock` is in seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._due: dict[str, float] = {}

    def take(self, cells: Sequence[Cell], wanted: int, least: int) -> Grant:
        """Up to `wanted` copies; none if fewer than `least` may leave."""
        now, granted, wait = self._clock(), wanted, 0.0
        due = {}
        for cell in cells:
            ahead = max(0.0, self._due.get(cell.key, now) - now)
            if ahead > (cell.burst + 1) * cell.interval:
                ahead = 0.0
            granted = min(granted, math.floor(cell.burst - (ahead - 1e-6) / cell.interval))
            wait = max(wait, ahead + (least - cell.burst) * cell.interval)
            due[cell.key] = now + ahead
        if granted < least:
            return Grant(0, wait)
        self._due |= {cell.key: due[cell.key] + granted * cell.interval for cell in cells}
        return Grant(granted)


def _cell(subject: str, rate: float) -> Cell:
    """A throttled subject's: a second's copies at once."""
    return Cell(f"throttled:{subject}", 1 / rate, max(1, int(rate)))


def _portion(cells: Sequence[Cell], wanted: int) -> int:
    """The fewest copies that are worth a batch."""
    return min([wanted, *(max(1, min(cell.burst // 2, int(PORTION_SECONDS / cell.interval))) for cell in cells)])


def _encoded(throttles: Mapping[str, Throttle]) -> str:
    return json.dumps({subject: dataclasses.astuple(throttle) for subject, throttle in throttles.items()})


def _decoded(stored: str | bytes | None) -> dict[str, Throttle]:
    return {subject: Throttle(*values) for subject, values in json.loads(stored or "{}").items()}


@functools.lru_cache(maxsize=1)
def _script() -> redis.commands.core.Script:
    return redis_client.connect().register_script(GCRA)


@functools.lru_cache(maxsize=1)
def shared() -> Limits:
    """This process's limits."""
    return Limits()
