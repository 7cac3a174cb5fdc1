"""How many copies may leave now, decided in one place for all workers of all hosts.

A limit holds in every window of its length, wherever it begins, and at least 95 % of it is reached
when there is enough to send. Grants come in small portions, evenly spaced, so neither the start
of a window nor a second worker makes a rush.

When Redis is away, each process keeps to a share: the limit divided by the number of processes
that asked lately. It goes on sending, never faster than the limit, usually slower.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import redis
from django.conf import settings

from core import redis_client
from postal import limiter_scripts as scripts

log = logging.getLogger(__name__)

# A Redis that does not answer is asked again after so long.
REST_SECONDS: Final = 5.0
# How long a mail server that could not be reached counts as away, unless it answers before: longer than the
# minute after which the sweeper runs again, so that this is known as long as there is anything to send.
AWAY_SECONDS: Final = 120.0
LONGEST_LINE_SECONDS: Final = 3_600


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """At most `limit` copies for `subject` in any `seconds`."""

    subject: str
    limit: int
    seconds: int


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """`count` copies may leave; if 0, asking again makes sense after `wait` seconds."""

    count: int
    wait: float = 0.0
    rules: tuple[Rule, ...] = ()
    # The server's clock in ms when it was granted; None: granted without the server.
    at: int | None = None
    # Copies per second that a slow-down of a subject leaves; 0: none is in force.
    slowed_to: float = 0.0
    # The relay or provider that it is for.
    route: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Throttle:
    """A subject that was slowed down: so many copies a second now, and none at all for `held` seconds."""

    subject: str
    per_second: float
    held: float


class Limits:
    """One process's access to the shared limits. `clock` (ms) is for tests; the server's own is used otherwise."""

    def __init__(self, *, clock: Callable[[], int] | None = None, prefix: str | None = None) -> None:
        self._clock = clock
        self._prefix = prefix if prefix is not None else f"{redis_client.key('pace')}:"
        self._who = uuid.uuid4().hex[:8]
        self._clients = 1
        self._away_until = 0.0
        self._fallback = LocalFallback()

    def ask(self, *, rules: Sequence[Rule], slow: Sequence[str], wanted: int, partial_grant: bool = False) -> Grant:
        """Take up to `wanted` grants that every rule and every slow-down of the `slow` subjects allows.

        Fewer than a sensible portion are refused, since a batch costs the same however small it is,
        unless a `partial_grant` is welcome.
        """
        keys = [self._prefix + "clients", *map(self._window, rules), *map(self.slow_key, slow)]
        numbers = [number for rule in rules for number in (rule.limit, rule.seconds * 1000)]
        answer = self.run(
            scripts.ASK, keys, [f"{self._who}-{os.getpid()}", wanted, int(partial_grant), len(rules), *numbers]
        )
        if answer is None:
            return self._fallback.ask(rules=rules, slow=slow, wanted=wanted, share=self.share)
        granted, wait, at, self._clients, slowed_to = answer
        return Grant(granted, wait / 1000, tuple(rules), at, slowed_to / 1000)

    def give_back(self, *, grant: Grant, count: int) -> None:
        """Return what was not used, so that it does not count. Grants that nobody wrote down are forgotten."""
        if not count or grant.at is None or not grant.rules:
            return
        numbers = [number for rule in grant.rules for number in (rule.limit, rule.seconds * 1000)]
        self.run(scripts.GIVE_BACK, [self._window(rule) for rule in grant.rules], [grant.at, count, *numbers])

    def queue(self, *, subject: str, count: int, per_second: float) -> float:
        """Stand in the subject's line with `count` copies; return the seconds until the first one's turn."""
        spacing = 1000 / per_second
        values = [count, spacing, LONGEST_LINE_SECONDS * 1000]
        answer = self.run(scripts.QUEUE, [f"{self._prefix}line:{subject}"], values)
        return 1.0 if answer is None else answer / 1000

    def slow_down(self, *, subject: str, base: float, hold: float, share: float = 1.0) -> None:
        """Lower the subject's rate by `share`, by half at most; from `base` per second if it had none.

        Nothing at all leaves for `hold` seconds. Then the rate grows evenly, and the slow-down is over when it
        is at `base`: RECOVERY_SECONDS at most after the last complaint.
        """
        self._fallback.slow_down(subject=subject, base=base, hold=hold, share=share)
        keys = [self.slow_key(subject), self._prefix + "slowed"]
        self.run(scripts.SLOW, keys, [subject, base, int(hold * 1000), share])

    def slowed(self) -> set[str]:
        """The subjects that may be slowed down now."""
        client = self._client()
        if client is None:
            return set(self._fallback.slowed)
        try:
            client.zremrangebyscore(self._prefix + "slowed", "-inf", time.time() * 1000)
            names: Any = client.zrange(self._prefix + "slowed", 0, -1)
            return {name.decode() for name in names}
        except redis.RedisError:
            self._note_absence()
            return set(self._fallback.slowed)

    def allow(self, *, name: str, allowance: int, wanted: int, count: Callable[[], int]) -> int:
        """Take up to `wanted` of an allowance whose use is known by `count()`, asked only when Redis forgot it.

        Without Redis the rows are asked each time, and this process takes its share of what is left.
        """
        key = [f"{self._prefix}{name}"]
        answer = self.run(scripts.ALLOW, key, [allowance, wanted, ""])
        if isinstance(answer, bytes):
            answer = self.run(scripts.ALLOW, key, [allowance, wanted, count()])
        if answer is not None:
            return int(answer)
        left = max(0, allowance - count())
        return min(wanted, left if left <= 1 else max(1, left // self.share))

    def give_back_allowance(self, *, name: str, count: int) -> None:
        """Return what was not used of an allowance."""
        if count:
            self.run(scripts.ALLOW, [f"{self._prefix}{name}"], [0, -count, ""])

    def rest(self, *, subject: str, seconds: float) -> None:
        """Nobody tries the subject for `seconds`, if there is another; it is away until it is `reached`."""
        self._mark(f"rest:{subject}", seconds)
        self._mark(f"away:{subject}", max(seconds, AWAY_SECONDS))

    def reached(self, *, subject: str) -> None:
        """The subject answers."""
        names = [f"rest:{subject}", f"away:{subject}"]
        for name in names:
            self._fallback.marks.pop(name, None)
        self._look(lambda client: client.delete(*(self._prefix + name for name in names)))

    def resting(self, *, subjects: Sequence[str]) -> set[str]:
        """Those of the subjects that rest now."""
        return self._marked("rest", subjects)

    def away(self, *, subjects: Sequence[str]) -> set[str]:
        """Those of the subjects that could not be reached, and were not since."""
        return self._marked("away", subjects)

    def once(self, *, name: str, seconds: float) -> bool:
        """True for the first caller of all processes in `seconds`; without Redis, for the first of this process."""
        is_first: Any = self._look(
            lambda client: client.set(self._prefix + name, 1, nx=True, px=int(seconds * 1000)) or 0
        )
        if is_first is None and (is_first := self._fallback.marks.get(name, 0.0) <= time.monotonic()):
            self._fallback.marks[name] = time.monotonic() + seconds
        return bool(is_first)

    def _mark(self, name: str, seconds: float) -> None:
        self._fallback.marks[name] = time.monotonic() + seconds
        self._look(lambda client: client.set(self._prefix + name, 1, px=int(seconds * 1000)))

    def _marked(self, kind: str, subjects: Sequence[str]) -> set[str]:
        marks: Any = self._look(lambda client: client.mget([f"{self._prefix}{kind}:{one}" for one in subjects]))
        if marks is None:
            now = time.monotonic()
            return {one for one in subjects if self._fallback.marks.get(f"{kind}:{one}", 0) > now}
        return {one for one, mark in zip(subjects, marks, strict=True) if mark}

    def throttles(self) -> list[Throttle] | None:
        """The slow-downs in force, to look at; None when Redis is away."""
        names = sorted(self.slowed())
        found = self._look(lambda client: [client.hmget(self.slow_key(one), _THROTTLE) for one in names])
        if found is None:
            return None
        now = self._now()
        read = [_throttle(subject, values, now) for subject, values in zip(names, found, strict=True) if values[0]]
        return [one for one in read if one is not None]

    def left(self, *, rule: Rule) -> int | None:
        """How many copies the window of the rule has room for, to look at; None when Redis is away."""
        counts: Any = self._look(lambda client: client.hgetall(self._window(rule)))
        if counts is None:
            return None
        oldest = self._now() / (rule.seconds * 1000 / scripts.SLICES) - scripts.LOOK_BACK
        used = sum(int(value) for field, value in counts.items() if field != b"tat" and int(field) > oldest)
        return max(0, rule.limit - used)

    def taken(self, *, name: str) -> int | None:
        """How much of an allowance is taken, to look at; None when Redis does not know."""
        found: Any = self._look(lambda client: client.get(f"{self._prefix}{name}"))
        return None if found is None else int(found)

    def _look(self, ask: Callable[[redis.Redis], Any]) -> Any:
        """What Redis answers, or None when it is away."""
        client = self._client()
        try:
            return None if client is None else ask(client)
        except redis.RedisError:
            self._note_absence()
            return None

    def _now(self) -> float:
        """Milliseconds."""
        return self._clock() if self._clock is not None else time.time() * 1000

    @property
    def share(self) -> int:
        """How many processes a limit is divided among while each is alone."""
        return max(self._clients, settings.PACING.processes)

    def run(self, script: str, keys: Sequence[str], values: Sequence[Any]) -> Any:
        """The script's answer, or None when Redis is away."""
        client = self._client()
        if client is None:
            return None
        now = "" if self._clock is None else self._clock()
        try:
            return _script(script)(keys=list(keys), args=[now, *values], client=client)
        except redis.RedisError:
            self._note_absence()
            return None

    def slow_key(self, subject: str) -> str:
        return f"{self._prefix}slow:{subject}"

    def _window(self, rule: Rule) -> str:
        return f"{self._prefix}{rule.subject}:{rule.seconds}"

    def _client(self) -> redis.Redis | None:
        return None if time.monotonic() < self._away_until else redis_client.connect()

    def _note_absence(self) -> None:
        log.warning("Redis is away: this process keeps to a share of the limits")
        self._away_until = time.monotonic() + REST_SECONDS


class LocalFallback:
    """The limits of one process that cannot ask the others. Evenly spaced, one copy at a time."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next: dict[str, float] = {}
        # subject -> (copies per second, when that was noted, held until, the rate at which it is over)
        self.slowed: dict[str, tuple[float, float, float, float]] = {}
        # What is marked, until when.
        self.marks: dict[str, float] = {}

    def ask(self, *, rules: Sequence[Rule], slow: Sequence[str], wanted: int, share: int) -> Grant:
        """As `Limits.ask`, of the share."""
        now = self._clock()
        paces = [(f"{rule.subject}:{rule.seconds}", rule.seconds * share / rule.limit, 0.0) for rule in rules]
        paces += [pace for subject in slow if (pace := self._throttle(subject, share, now))]
        wait = max([held - now for _, _, held in paces] + [self._next.get(key, now) - now for key, _, _ in paces] + [0])
        if wait > 0:
            return Grant(
                0,
                wait,
                slowed_to=min([1 / spacing for key, spacing, _ in paces if key.startswith("slow:")], default=0.0),
            )
        # A portion that fills a tenth of a second, so that a share is not spent on tiny batches.
        granted = min([wanted, *(max(1, int(0.1 / spacing)) for _, spacing, _ in paces)])
        for key, spacing, _ in paces:
            self._next[key] = now + granted * spacing
        return Grant(granted)

    def slow_down(self, *, subject: str, base: float, hold: float, share: float = 1.0) -> None:
        """As `Limits.slow_down`."""
        now, top = self._clock(), max(1.0, base)
        rate, since, held, top = self.slowed.get(subject, (top, float("-inf"), now, top))
        if now - since >= 1:
            rate = max(0.5, _grown(rate, since, held, top, now) * max(0.5, 1 - share))
            since, top = now, max(1.0, min(top, 2 * rate)) if share > 0.5 else top
        self.slowed[subject] = (rate, since, max(held, now + hold), top)

    def _throttle(self, subject: str, share: int, now: float) -> tuple[str, float, float] | None:
        if subject not in self.slowed:
            return None
        rate, since, held, top = self.slowed[subject]
        current = _grown(rate, since, held, top, now)
        if current >= top and now >= held:
            del self.slowed[subject]
            return None
        return f"slow:{subject}", share / current, held


_THROTTLE: Final = ("rate", "since", "until", "ceiling")


def _throttle(subject: str, values: list[bytes], now: float) -> Throttle | None:
    """As `slowed` in scripts reckons it; None when it is over."""
    rate, since, held, ceiling = map(float, values)
    current = _grown(rate, since / 1000, held / 1000, ceiling, now / 1000)
    return None if current >= ceiling and now >= held else Throttle(subject, current, max(0.0, held - now) / 1000)


def _grown(rate: float, since: float, held: float, ceiling: float, now: float) -> float:
    """The rate that was noted at `since`, at `now` (seconds)."""
    return min(ceiling, rate + ceiling * max(0.0, now - max(since, held)) / scripts.RECOVERY_SECONDS)


@functools.lru_cache(maxsize=8)
def _script(text: str) -> redis.commands.core.Script:
    return redis_client.connect().register_script(text)


@functools.lru_cache(maxsize=1)
def shared() -> Limits:
    """This process's limits."""
    return Limits()
