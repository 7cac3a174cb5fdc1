"""Probes and metrics for machines: /healthz, /readyz and /metrics."""

import time
from collections.abc import Callable
from typing import Final

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from core import database_clock
from digests import heartbeat
from newsroom import dead_entries, metrics, readiness, worker_heartbeat

# What was started together with this process is not missed sooner.
STARTING_SECONDS: Final = 60.0
GOOD: Final = {"ok", "starting", "unknown"}

_started_at = time.monotonic()

Handler = Callable[[HttpRequest], HttpResponseBase]


def alive(_request: HttpRequest) -> HttpResponse:
    """200 while this process can answer at all; asks nobody else."""
    return HttpResponse("ok\n", content_type="text/plain")


def ready(_request: HttpRequest) -> HttpResponse:
    """200 if PostgreSQL and Redis answer, every migration is applied, this host's clock is right, and workers and beat
    do their work, else 503.

    Each part is "ok", "starting", "unknown" (while what knows it is away), "failed", or a sentence that says why not.
    """
    states = parts()
    response = JsonResponse({**states, "dead_entries": dead_entries.count()})
    response.status_code = 200 if set(states.values()) <= GOOD else 503
    response["Cache-Control"] = "no-store"
    return response


def parts() -> dict[str, str]:
    """The state of each part, a word or a sentence, as `ready` has it."""
    database, broker = _database(), _redis()
    return {
        "database": _word(database),
        "redis": _word(broker),
        "migrations": _word(database and _migrations()),
        "clock": (_wrong_clock() or "ok") if database else "failed",
        **processes(),
    }


def figures(request: HttpRequest) -> HttpResponse:
    """Counts in Prometheus' text format; never an address, a name or a token. In production METRICS_TOKEN opens it."""
    given = request.headers.get("Authorization", "").encode()
    wanted = f"Bearer {settings.METRICS_TOKEN}".encode()
    if not settings.DEBUG and not (settings.METRICS_TOKEN and constant_time_compare(given, wanted)):
        raise Http404
    response = HttpResponse(metrics.text(), content_type=metrics.CONTENT_TYPE)
    response["Cache-Control"] = "no-store"
    return response


PROBES = {"/healthz": alive, "/readyz": ready}


def probes(following: Handler) -> Handler:
    """Middleware, the first of all: a probe comes with any Host header, over plain HTTP, without a session."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path_info)
        return probe(request) if probe and request.method in {"GET", "HEAD"} else following(request)

    return handle


def _word(good: bool) -> str:
    return "ok" if good else "failed"


def processes() -> dict[str, str]:
    """Beat and each worker. Those that were not heard of since this process or Redis started have a minute for it."""
    signs = worker_heartbeat.read()
    if signs is None:
        return dict.fromkeys(readiness.PARTS, "unknown")
    uptime = min(time.monotonic() - _started_at, signs.since)
    done = heartbeat.age(work="clock", now=timezone.now())
    return {
        part: "ok" if fault is None else "starting" if uptime < min(STARTING_SECONDS, fault.heard) else fault.why
        for part, fault in readiness.faults(signs=signs, done=done).items()
    }


def _database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _wrong_clock() -> str:
    """What is wrong with this host's clock; empty when nothing is."""
    try:
        database_clock.for_tick()
    except database_clock.HostClockWrong as refusal:
        return str(refusal)
    return ""


def _redis() -> bool:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _migrations() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
