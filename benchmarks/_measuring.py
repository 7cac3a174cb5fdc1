"""Starts a real worker, sends an issue through it, and measures what that costs."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

import psutil
from django.db import connection
from django.db.models import Max, Min
from django.utils import timezone

from digests.models import Issue
from digests.sending import tasks
from newsroom.celery import app
from newsroom.running import processes

SAMPLE_SECONDS = 0.5


@contextlib.contextmanager
def worker(environment: Mapping[str, str], concurrency: str) -> Iterator[psutil.Process]:
    """A real Celery worker for the engine's tasks, ready for them."""
    command = processes.worker(name="measured", queues=["ticks", "digest"], processes=int(concurrency))
    with subprocess.Popen([sys.executable, "-m", *command], env=os.environ | environment, stdout=sys.stderr) as process:
        try:
            while not app.control.ping(timeout=1.0):
                if process.poll() is not None:
                    sys.exit("The worker did not start.")
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


def send(issue: Issue, process: psutil.Process) -> dict[str, float]:
    """Send the issue, wait until it is closed, and return what it cost."""
    workers, servers = Meter(), Meter()
    workers.read([process, *process.children()])
    servers.read(postgres())
    committed = commits()
    approved_at = timezone.now()
    tasks.wake_issue.delay(issue.pk)
    peak = 0.0
    while issue.state in {"scheduled", "preparing", "sending"}:
        time.sleep(SAMPLE_SECONDS)
        workers.read([process, *process.children()])
        servers.read(postgres())
        peak = max([peak, *(child.memory_info().rss / 2**20 for child in process.children())])
        issue.refresh_from_db()
    if issue.state != "sent":
        sys.exit(f"The issue ended as {issue.state}: {issue.reason_sentence}")
    times = issue.deliveries.aggregate(first=Min("attempted_at"), accepted=Min("settled_at"), last=Max("settled_at"))
    return {
        "seconds": (times["last"] - times["first"]).total_seconds(),
        "first": (times["accepted"] - approved_at).total_seconds(),
        "peak": peak,
        "workers": workers.seconds(),
        "postgres": servers.seconds(),
        "commits": commits() - committed,
    }


class Meter:
    """CPU seconds of processes that come and go, by reading them often."""

    def __init__(self) -> None:
        self._known = False
        self._start: dict[int, float] = {}
        self._last: dict[int, float] = {}

    def read(self, processes: list[psutil.Process]) -> None:
        """Record what each process has used. One that appears after the first reading started at zero."""
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                self._last[process.pid] = times.user + times.system
                self._start.setdefault(process.pid, 0.0 if self._known else self._last[process.pid])
        self._known = True

    def seconds(self) -> float:
        """User and system seconds since the first reading."""
        return sum(last - self._start[pid] for pid, last in self._last.items())


def postgres() -> list[psutil.Process]:
    """The server's processes: every current backend."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity")
        return [psutil.Process(row[0]) for row in cursor.fetchall() if psutil.pid_exists(row[0])]


def commits() -> float:
    """Commits of this database so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
        return float(cursor.fetchone()[0])
