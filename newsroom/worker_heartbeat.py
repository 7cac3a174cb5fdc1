"""Heartbeats of workers and of beat in Redis, because a running process alone proves nothing.

Each worker's event loop says every HEARTBEAT_SECONDS that it turns, and which queues it takes; one that hangs, was
stopped (SIGSTOP) or waits for its last task to end says nothing. Its children say when they finished a task of a
queue: beat puts one into every queue each minute, so a worker whose loop turns and that takes nothing is found by
its silence. Beat says that its loop turns, and when it last sent what was due.

All times are those of Redis, so hosts whose clocks differ agree. Without Redis no worker gets a task anyway.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import redis
from celery.signals import task_postrun, worker_ready, worker_shutdown
from django.conf import settings

from core import redis_client

log = logging.getLogger(__name__)

# Children write no more often than this, for each queue.
FINISHED_SECONDS: Final = 5.0
# A process that was not stopped in order is forgotten after a day.
FORGET_SECONDS: Final = 86_400.0
BROKEN: Final = (ValueError, TypeError, KeyError)
# The keys and their types in Redis.
TYPES: Final = {"workers": "hash", "beats": "hash", "finished": "hash", "finished-by": "hash", "signs-since": "string"}

_started_at = time.monotonic()
_next_at: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class Process:
    """A worker or a beat. `age` is since it was heard of, `uptime` since it started; `idle` since a beat last sent."""

    name: str
    pid: int
    age: float
    uptime: float
    queues: tuple[str, ...] = ()
    idle: float = 0.0


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known of every process; `finished` is since a task of each queue was finished by anybody.

    Nothing older than `since` is expected: so long Redis runs and has not lost what it knew.
    """

    workers: list[Process]
    beats: list[Process]
    finished: Mapping[str, float]
    since: float = math.inf


# --- Writing ---------------------------------------------------------------------------------


@worker_ready.connect
def begin(sender: Any = None, **_signal: Any) -> None:
    """Let the worker's event loop write a heartbeat repeatedly."""
    queues = list(sender.app.amqp.queues.consume_from)

    def beat() -> None:
        _say("workers", sender.hostname, queues=queues)
        _begin_queues(queues)

    _forget_the_dead()
    beat()
    sender.timer.call_repeatedly(settings.HEARTBEAT_SECONDS, beat)


@worker_shutdown.connect
def end(sender: Any = None, **_signal: Any) -> None:
    """Remove the heartbeat of a worker that stops in order."""
    try:
        redis_client.connect().hdel(redis_client.key("workers"), _field(sender.hostname))
    except redis.RedisError:
        log.warning("Redis is away: it is not noted that this worker ends")


@task_postrun.connect
def note(task: Any = None, **_signal: Any) -> None:
    """Record the time at which a task of a queue was finished, at most every FINISHED_SECONDS. Never raises."""
    request = getattr(task, "request", None)
    if request is None or not request.hostname or request.is_eager:
        return
    queue = str((request.delivery_info or {}).get("routing_key"))
    if time.monotonic() < _next_at.get(queue, 0.0):
        return
    _next_at[queue] = time.monotonic() + FINISHED_SECONDS
    try:
        client = redis_client.connect()
        now = _now(client)
        client.hset(redis_client.key("finished"), queue, repr(now))
        client.hset(redis_client.key("finished-by"), request.hostname, repr(now))
    except redis.ResponseError:
        _put_right()
    except redis.RedisError:
        log.warning("Redis is away: it is not noted that this worker works")


def beat_turns(*, name: str, idle: float) -> None:
    """Record that beat runs, and that it sent a task `idle` seconds ago. Never raises."""
    _say("beats", name, idle=idle)


def _say(kind: str, name: str, **more: object) -> None:
    try:
        client = redis_client.connect()
        values = {"at": _now(client), "uptime": time.monotonic() - _started_at, **more}
        client.hset(redis_client.key(kind), _field(name), json.dumps(values))
    except redis.ResponseError:
        _put_right()
    except redis.RedisError as error:
        log.warning("Redis is away: %s cannot say that it lives (%s)", name, type(error).__name__)


def _begin_queues(queues: Iterable[str]) -> None:
    """From now on a task of these queues is expected; before, nobody can have finished one."""
    try:
        client = redis_client.connect()
        for queue in queues:
            client.hsetnx(redis_client.key("finished"), queue, repr(_now(client)))
    except redis.ResponseError:
        _put_right()
    except redis.RedisError:
        return


def _forget_the_dead() -> None:
    try:
        client = redis_client.connect()
        now = _now(client)
        for kind in ("workers", "beats"):
            signs = _hash(client, kind)
            known = {f"{process.name}/{process.pid}" for process in _processes(signs, now)}
            if gone := set(signs) - known:
                client.hdel(redis_client.key(kind), *gone)
    except redis.ResponseError:
        _put_right()
    except redis.RedisError:
        return


def _put_right() -> None:
    """Delete keys of a wrong type, which another program wrote, so that heartbeats are stored again. Never raises."""
    with contextlib.suppress(redis.RedisError):
        client = redis_client.connect()
        for kind, expected in TYPES.items():
            type_: Any = client.type(redis_client.key(kind))
            if type_.decode() not in {expected, "none"}:
                client.delete(redis_client.key(kind))


def _field(name: str) -> str:
    """Two workers of one name, as those that are started without -n, are still two."""
    return f"{name}/{os.getpid()}"


def _now(client: redis.Redis) -> float:
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1_000_000


# --- Reading ---------------------------------------------------------------------------------


def read() -> Signs | None:
    """The heartbeats of all processes; None when Redis is away or its keys have a wrong type."""
    try:
        client = redis_client.connect()
        now = _now(client)
        workers, beats, finished = (_hash(client, kind) for kind in ("workers", "beats", "finished"))
        since = _since(client, now)
    except redis.ResponseError:
        _put_right()
        return None
    except redis.RedisError:
        return None
    return Signs(_processes(workers, now), _processes(beats, now), _ages(finished, now), since)


def finished_by() -> dict[str, float]:
    """Seconds since each worker of the last day finished a task; empty when Redis is away."""
    try:
        client = redis_client.connect()
        return _ages(_hash(client, "finished-by"), _now(client))
    except redis.RedisError:
        return {}


def _since(client: redis.Redis, now: float) -> float:
    """The first look after Redis was emptied leaves a mark; one that was restarted may know what was true before."""
    key = redis_client.key("signs-since")
    client.set(key, repr(now), nx=True)
    mark: Any = client.get(key)
    server: Any = client.info("server")
    try:
        return min(max(0.0, now - float(mark)), float(server["uptime_in_seconds"]))
    except BROKEN:
        client.delete(key)
        return 0.0


def _hash(client: redis.Redis, kind: str) -> dict[str, str]:
    stored: Any = client.hgetall(redis_client.key(kind))
    return {name.decode(errors="replace"): value.decode(errors="replace") for name, value in stored.items()}


def _processes(heartbeats: Mapping[str, str], now: float) -> list[Process]:
    processes = [
        process for field, text in sorted(heartbeats.items()) if (process := _process(field, text, now)) is not None
    ]
    return [process for process in processes if process.age < FORGET_SECONDS]


def _process(field: str, text: str, now: float) -> Process | None:
    name, _, pid = field.rpartition("/")
    try:
        values = json.loads(text)
        age = max(0.0, now - values["at"])
        queues = tuple(map(str, values.get("queues", ())))
        return Process(name, int(pid), age, age + values["uptime"], queues, age + values.get("idle", 0.0))
    except BROKEN:
        return None


def _ages(times: Mapping[str, str], now: float) -> dict[str, float]:
    ages: dict[str, float] = {}
    for name, text in sorted(times.items()):
        try:
            ages[name] = max(0.0, now - float(text))
        except ValueError:
            continue
    return {name: age for name, age in ages.items() if age < FORGET_SECONDS}
