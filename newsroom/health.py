"""What machines ask: is it alive, is it ready, how is it doing."""

from collections.abc import Callable

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare

from newsroom import metrics
from publication import database_clock

Handler = Callable[[HttpRequest], HttpResponseBase]


def alive(_request: HttpRequest) -> HttpResponse:
    """200 while this process can answer at all; asks nobody else."""
    return HttpResponse("ok\n", content_type="text/plain")


def ready(_request: HttpRequest) -> HttpResponse:
    """200 if PostgreSQL and Redis answer, every migration is applied and this host's clock is right, else 503.

    Says which is not, and of the clock by how much it is wrong.
    """
    parts = {"database": _database(), "redis": _redis()}
    parts["migrations"] = parts["database"] and _migrations()
    wrong_clock = _wrong_clock() if parts["database"] else ""
    parts["clock"] = parts["database"] and not wrong_clock
    answers = {name: "ok" if good else "failed" for name, good in parts.items()}
    response = JsonResponse(answers | ({"clock": wrong_clock} if wrong_clock else {}))
    response.status_code = 200 if all(parts.values()) else 503
    response["Cache-Control"] = "no-store"
    return response


def figures(request: HttpRequest) -> HttpResponse:
    """Counts in Prometheus' text format; never an address, a name or a token. In production METRICS_TOKEN opens it."""
    given = request.headers.get("Authorization", "").encode()
    wanted = f"Bearer {settings.METRICS_TOKEN}".encode()
    if not settings.DEBUG and not (settings.METRICS_TOKEN and constant_time_compare(given, wanted)):
        raise Http404
    response = HttpResponse(metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")
    response["Cache-Control"] = "no-store"
    return response


PROBES = {"/healthz": alive, "/readyz": ready}


def probes(following: Handler) -> Handler:
    """Middleware, the first of all: a probe comes with any Host header, over plain HTTP, without a session."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path_info)
        return probe(request) if probe and request.method in {"GET", "HEAD"} else following(request)

    return handle


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
