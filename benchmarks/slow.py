"""The whole engine against a mail server 50 ms away, and against one that takes 50 ms for each answer.

Figures: copies a second from the first claim to the closed issue, and its ratio to what N
connections can carry at most. Pipelined, a copy costs one round trip; a server that replies to one
command at a time sends four replies for it. READERS, CONNECTIONS and LANES set the rest.
"""

from __future__ import annotations

import functools
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from benchmarks import _audience, _figures, _measuring, _slow_smtp_server

CONNECTIONS = int(os.environ.get("CONNECTIONS", "20"))
LANES = int(os.environ.get("LANES", "2"))
COPIES_IN_FLIGHT = os.environ.get("COPIES_IN_FLIGHT", "100")
READERS = int(os.environ.get("READERS", "8000"))
REPLIES = {"round trip of 50 ms": 1, "50 ms before each answer": 4}

say = functools.partial(_figures.say, "slow")


def main() -> None:
    """Send one issue over each of the two."""
    for name, replies in REPLIES.items():
        newsletter = _audience.create(readers=READERS // replies)
        issue = _audience.approved_issue(newsletter)
        with _slow_smtp_server.running(_slow_smtp_server.Behaviour(in_turn=replies > 1)) as port:
            environment = {
                "EMAIL_URL": f"smtp://127.0.0.1:{port}",
                "COPIES_IN_FLIGHT": COPIES_IN_FLIGHT,
                "LANES": str(LANES),
                "CONNECTIONS": str(CONNECTIONS),
            }
            with _measuring.worker(environment, str(LANES)) as process:
                run = _measuring.send(issue, process)
        limit = LANES * CONNECTIONS / (replies * _slow_smtp_server.DELAY_SECONDS)
        rate = READERS // replies / run["seconds"]
        say(f"copies, {name}", rate, "copies/s", connections=LANES * CONNECTIONS, limit=round(limit))
        say(f"ratio to the limit, {name}", rate / limit, "1")


if __name__ == "__main__":
    main()
