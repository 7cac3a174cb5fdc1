"""The whole engine over SMTP against Postfix's smtp-source, on the same message and the same sink.

Figures: copies a second from the first claim to the closed issue, and its ratio to the anchor; CPU
seconds per 1,000 copies of the workers and of PostgreSQL; the peak memory of a worker; commits per
1,000 copies; seconds from the approval to the first copy. READERS sets the audience.

There are twice as many lanes as the reference machine has processors (two), because a lane that waits for the
disk leaves one free; a worker has as many processes by default. Sessions are long, because the anchor's never end.
"""

from __future__ import annotations

import functools
import os
import statistics
import sys
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from django.conf import settings

from benchmarks import _audience, _figures, _measuring, _postfix

READERS = int(os.environ.get("READERS", "100000"))
COPIES_IN_FLIGHT = os.environ.get("COPIES_IN_FLIGHT", "100")
WORKERS = os.environ.get("WORKER_CONCURRENCY", "4")
MESSAGES_PER_CONNECTION = os.environ.get("MESSAGES_PER_CONNECTION", "1000")
LANES = os.environ.get("LANES", WORKERS)


say = functools.partial(_figures.say, "send")


def main() -> None:
    """Measure the anchor, the engine and the anchor again; print the figures."""
    tools = _postfix.find(Path(settings.VAR_DIR))
    if tools is None:
        sys.exit("smtp-sink and smtp-source cannot be had: install Debian's postfix package for this benchmark.")
    newsletter = _audience.create(readers=READERS)
    issue = _audience.approved_issue(newsletter)
    message = Path(settings.VAR_DIR) / "message.eml"
    copy = _audience.example_copy(issue)
    # smtp-source writes its own line ends.
    message.write_bytes(copy.replace(b"\r\n", b"\n"))
    with _postfix.sink(tools) as port:
        anchors = [_postfix.anchor(tools, port, message) for _ in range(3)]
        environment = {
            "EMAIL_URL": f"smtp://127.0.0.1:{port}",
            "COPIES_IN_FLIGHT": COPIES_IN_FLIGHT,
            "LANES": LANES,
            "MESSAGES_PER_CONNECTION": MESSAGES_PER_CONNECTION,
        }
        with _measuring.worker(environment, WORKERS) as process:
            run = _measuring.send(issue, process)
        anchors += [_postfix.anchor(tools, port, message) for _ in range(3)]
    say("message", len(copy), "bytes")
    say("anchor", statistics.median(anchors), "messages/s", least=round(min(anchors)), most=round(max(anchors)))
    report(run, statistics.median(anchors))


def report(run: dict[str, float], anchor: float) -> None:
    """Print the figures of the run."""
    rate, thousands = READERS / run["seconds"], READERS / 1000
    how = {"in_flight_per_lane": int(COPIES_IN_FLIGHT), "lanes": int(LANES)}
    how |= {"messages_per_connection": int(MESSAGES_PER_CONNECTION)}
    say("engine", rate, "copies/s", readers=READERS, **how)
    say("ratio to the anchor", rate / anchor, "1")
    say("worker CPU", run["workers"] / thousands, "s/1000 copies")
    say("PostgreSQL CPU", run["postgres"] / thousands, "s/1000 copies")
    say("peak memory of a worker", run["peak"], "MiB")
    say("commits", run["commits"] / thousands, "1/1000 copies")
    say("approval to first copy", run["first"], "s")


if __name__ == "__main__":
    main()
