"""The whole engine against a mail server 50 ms away, and against one that takes 50 ms for each answer.

Figures: copies a second from the first claim to the closed issue, and its ratio to what so many
connections can carry at most. Pipelined, a copy costs one round trip; a server that answers one
command at a time takes four answers for it. READERS, CONNECTIONS and LANES set the rest.
"""

from __future__ import annotations

import functools
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from benchmarks import _figures, _house, _slow_sink, _watch

CONNECTIONS = int(os.environ.get("CONNECTIONS", "20"))
LANES = int(os.environ.get("LANES", "2"))
COPIES_IN_FLIGHT = os.environ.get("COPIES_IN_FLIGHT", "100")
READERS = int(os.environ.get("READERS", "8000"))
ANSWERS = {"round trip of 50 ms": 1, "50 ms before each answer": 4}

say = functools.partial(_figures.say, "slow")


def main() -> None:
    """One issue over each of the two."""
    for name, answers in ANSWERS.items():
        newsletter = _house.furnish(readers=READERS // answers)
        issue = _house.approved(newsletter)
        with _slow_sink.running(_slow_sink.Mood(in_turn=answers > 1)) as port:
            environment = {
                "EMAIL_URL": f"smtp://127.0.0.1:{port}",
                "COPIES_IN_FLIGHT": COPIES_IN_FLIGHT,
                "LANES": str(LANES),
                "CONNECTIONS": str(CONNECTIONS),
            }
            with _watch.worker(environment, str(LANES)) as process:
                run = _watch.send(issue, process)
        limit = LANES * CONNECTIONS / (answers * _slow_sink.DELAY_SECONDS)
        rate = READERS // answers / run["seconds"]
        say(f"copies, {name}", rate, "copies/s", connections=LANES * CONNECTIONS, limit=round(limit))
        say(f"ratio to the limit, {name}", rate / limit, "1")


if __name__ == "__main__":
    main()
