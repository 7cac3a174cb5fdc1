"""The whole engine over SMTP against Postfix's smtp-source, on the same message and the same sink.

Figures: copies a second from the first claim to the closed issue, and its ratio to the anchor; CPU
seconds per 1,000 copies of the workers and of PostgreSQL; the peak memory of a worker; commits per
1,000 copies; seconds from the approval to the first copy. READERS sets the audience.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from django.conf import settings  # as above
from django.db import connection  # as above
from django.db.models import Max, Min  # as above

from benchmarks import _house, _sink  # Django's settings must be named first
from digests.models import Delivery, Issue  # as above
from digests.sending import tasks  # as above

READERS = int(os.environ.get("READERS", "100000"))
COPIES_IN_FLIGHT = os.environ.get("COPIES_IN_FLIGHT", "100")
WORKERS = os.environ.get("WORKER_CONCURRENCY", "2")
LANES = os.environ.get("LANES", WORKERS)
SAMPLE_SECONDS = 0.2


def say(name: str, value: float, unit: str, **more: object) -> None:
    """One figure, as a line of JSON."""
    print(json.dumps({"benchmark": "send", "figure": name, "value": round(value, 4), "unit": unit, **more}), flush=True)


def main() -> None:
    """Anchor, engine, anchor; then the figures."""
    found = _sink.tools(Path(settings.VAR_DIR))
    if found is None:
        sys.exit("smtp-sink and smtp-source cannot be had: install Debian's postfix package for this benchmark.")
    newsletter = _house.furnish(readers=READERS)
    issue = _house.approved(newsletter)
    message = Path(settings.VAR_DIR) / "message.eml"
    copy = _house.example(issue)
    # smtp-source writes its own line ends.
    message.write_bytes(copy.replace(b"\r\n", b"\n"))
    with _sink.sink(found) as port:
        anchors = [_sink.anchor(found, port, message) for _ in range(3)]
        with worker(port) as process:
            run = measure(issue, process)
        anchors += [_sink.anchor(found, port, message) for _ in range(3)]
    say("message", len(copy), "octets")
    say("anchor", statistics.median(anchors), "messages/s", least=round(min(anchors)), most=round(max(anchors)))
    report(run, statistics.median(anchors))


@contextlib.contextmanager
def worker(port: int) -> Iterator[psutil.Process]:
    """A real Celery worker that sends to the sink."""
    command = [sys.executable, "-m", "celery", "-A", "newsroom.celery:app", "worker", "-c", WORKERS, "-Q", "digest"]
    environment = os.environ | {
        "EMAIL_URL": f"smtp://127.0.0.1:{port}",
        "COPIES_IN_FLIGHT": COPIES_IN_FLIGHT,
        "LANES": LANES,
    }
    with subprocess.Popen([*command, "-l", "WARNING"], env=environment) as process:
        try:
            time.sleep(5)
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


def measure(issue: Issue, process: psutil.Process) -> dict[str, float]:
    """Send the issue, watch it to its end, and return what it cost."""
    before = cpu([process, *process.children()]), cpu(postgres()), commits()
    approved_at = time.perf_counter()
    tasks.wake_issue.delay(issue.pk)
    first = peak = 0.0
    while issue.state in {"scheduled", "preparing", "sending"}:
        time.sleep(SAMPLE_SECONDS)
        peak = max([peak, *(child.memory_info().rss / 2**20 for child in process.children())])
        if not first and Delivery.objects.filter(issue=issue, state="accepted").exists():
            first = time.perf_counter() - approved_at
        issue.refresh_from_db()
    after = cpu([process, *process.children()]), cpu(postgres()), commits()
    if issue.state != "sent":
        sys.exit(f"The issue ended as {issue.state}: {issue.state_reason}")
    times = issue.deliveries.aggregate(first=Min("attempted_at"), last=Max("settled_at"))
    return {
        "seconds": (times["last"] - times["first"]).total_seconds(),
        "first": first,
        "peak": peak,
        "workers": after[0] - before[0],
        "postgres": after[1] - before[1],
        "commits": after[2] - before[2],
    }


def cpu(processes: list[psutil.Process]) -> float:
    """User and system seconds of the processes so far; those that ended in between count no more."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def postgres() -> list[psutil.Process]:
    """The server's processes: every backend that lives now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity")
        return [psutil.Process(row[0]) for row in cursor.fetchall() if psutil.pid_exists(row[0])]


def commits() -> float:
    """Commits of this database so far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
        return float(cursor.fetchone()[0])


def report(run: dict[str, float], anchor: float) -> None:
    """The figures of the run."""
    rate, thousands = READERS / run["seconds"], READERS / 1000
    say("engine", rate, "copies/s", readers=READERS, in_flight_per_lane=int(COPIES_IN_FLIGHT), lanes=int(LANES))
    say("ratio to the anchor", rate / anchor, "1")
    say("worker CPU", run["workers"] / thousands, "s/1000 copies")
    say("PostgreSQL CPU", run["postgres"] / thousands, "s/1000 copies")
    say("peak memory of a worker", run["peak"], "MiB")
    say("commits", run["commits"] / thousands, "1/1000 copies")
    say("approval to first copy", run["first"], "s")


if __name__ == "__main__":
    main()
