"""The whole engine over a provider: Mailgun's batch call, then Resend's single messages over kept connections.

Figures of each: recipients a second from the first claim to the closed issue, where each recipient is a settled
row that the provider got exactly once; CPU seconds per 1,000 recipients of the workers, of PostgreSQL
and of the provider, which shares the machine. RECIPIENTS and SINGLES set the audiences, ANSWER_SECONDS
how long the provider waits before each response.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import psutil

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from benchmarks import _audience, _figures, _measuring

RECIPIENTS = int(os.environ.get("RECIPIENTS", "50000"))
SINGLES = int(os.environ.get("SINGLES", "5000"))
# One call carries this many; it is also what one lane has in flight.
PER_CALL = os.environ.get("COPIES_IN_FLIGHT", "1000")
WORKERS = os.environ.get("WORKER_CONCURRENCY", "2")
TO_REACH = 12_000

say = functools.partial(_figures.say, "esp")


def main() -> None:
    """Measure both ways, each with its own audience."""
    with provider() as (port, server):
        rate = measure(
            server, f"anymail+mailgun://key@example.com?api_url=http://127.0.0.1:{port}/v3", "batch", PER_CALL
        )
        say("ratio to what is asked", rate / TO_REACH, "1")
    with provider() as (port, server):
        measure(server, f"anymail+resend://key@?api_url=http://127.0.0.1:{port}", "single", "50")


def measure(server: subprocess.Popen[str], url: str, way: str, in_flight: str) -> float:
    """Send to a new audience, compare the provider's count with the rows, and return the rate."""
    count = RECIPIENTS if way == "batch" else SINGLES
    issue = _audience.approved_issue(_audience.create(readers=count))
    there = psutil.Process(server.pid)
    before = sum(there.cpu_times()[:2])
    with worker(url, in_flight) as process:
        run = _measuring.send(issue, process)
    provider_seconds = sum(there.cpu_times()[:2]) - before
    server.stdin.close()  # type: ignore[union-attr]  # it was made with a pipe
    counted = json.loads(server.stdout.read())  # type: ignore[union-attr]  # as above
    settled = issue.deliveries.filter(state="accepted").count()
    if counted != [count] * 3 or settled != count:
        sys.exit(f"{count} readers, but the provider counted {counted} and {settled} rows are accepted.")
    rate, thousands = count / run["seconds"], count / 1000
    say(f"{way}: engine", rate, "recipients/s", recipients=count, in_flight_per_lane=int(in_flight), lanes=int(WORKERS))
    say(f"{way}: worker CPU", run["workers"] / thousands, "s/1000 recipients")
    say(f"{way}: PostgreSQL CPU", run["postgres"] / thousands, "s/1000 recipients")
    say(f"{way}: the provider's own CPU", provider_seconds / thousands, "s/1000 recipients")
    return rate


@contextlib.contextmanager
def provider() -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The provider's server in a process of its own."""
    command = [sys.executable, "-m", "benchmarks._provider_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(process.stdout.readline()), process  # type: ignore[union-attr]  # it was made with a pipe
        finally:
            process.kill()


@contextlib.contextmanager
def worker(url: str, in_flight: str) -> Iterator[psutil.Process]:
    """A real Celery worker that hands over to the provider."""
    environment = {"EMAIL_URL": url, "COPIES_IN_FLIGHT": in_flight, "LANES": WORKERS}
    with _measuring.worker(environment, WORKERS) as process:
        yield process


if __name__ == "__main__":
    main()
