"""The whole engine over a provider's batch call: a local server that speaks Mailgun's interface.

Figures: recipients a second from the first claim to the closed issue, every one a settled row;
CPU seconds per 1,000 recipients of the workers. RECIPIENTS sets the audience.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from benchmarks import _house, _watch

RECIPIENTS = int(os.environ.get("RECIPIENTS", "50000"))
# One call carries this many; it is also what one lane has in flight.
PER_CALL = os.environ.get("COPIES_IN_FLIGHT", "1000")
WORKERS = os.environ.get("WORKER_CONCURRENCY", "2")
TO_REACH = 12_000


def main() -> None:
    """Furnish, send, compare what the provider counted with what the rows say."""
    newsletter = _house.furnish(readers=RECIPIENTS)
    issue = _house.approved(newsletter)
    with provider() as (port, server), worker(port) as process:
        run = _watch.send(issue, process)
        server.stdin.close()  # type: ignore[union-attr]  # it was made with a pipe
        counted = int(server.stdout.read())  # type: ignore[union-attr]  # as above
    settled = issue.deliveries.filter(state="accepted").count()
    if counted != RECIPIENTS or settled != RECIPIENTS:
        sys.exit(f"{RECIPIENTS} readers, but the provider counted {counted} and {settled} rows are accepted.")
    rate = RECIPIENTS / run["seconds"]
    say("engine", rate, "recipients/s", recipients=RECIPIENTS, per_call=int(PER_CALL))
    say("ratio to what is asked", rate / TO_REACH, "1")
    say("worker CPU", run["workers"] / (RECIPIENTS / 1000), "s/1000 recipients")


def say(name: str, value: float, unit: str, **more: object) -> None:
    """One figure, as a line of JSON."""
    print(json.dumps({"benchmark": "esp", "figure": name, "value": round(value, 4), "unit": unit, **more}), flush=True)


@contextlib.contextmanager
def provider() -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The provider's server in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks._mailgun", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        time.sleep(1)
        yield port, process


@contextlib.contextmanager
def worker(port: int) -> Iterator[psutil.Process]:
    """A real Celery worker that hands over to the provider."""
    url = f"anymail+mailgun://key@example.com?api_url=http://127.0.0.1:{port}/v3"
    with _watch.worker({"EMAIL_URL": url, "COPIES_IN_FLIGHT": PER_CALL, "LANES": WORKERS}, WORKERS) as process:
        yield process


if __name__ == "__main__":
    main()
