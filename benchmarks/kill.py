"""The kill-loop: four lanes are killed twenty times in the middle of an issue, to a mail server that fails.

For each of SEEDS (30) seeds one line: the server's copies beside the rows. Exit 1 when a reader got
two copies, got none and is on no list, or when more are uncertain than the kills allow. READERS sets
the audience, KILLS and LANES the rest.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from django.conf import settings

from benchmarks import _audience, _figures
from tests.faults import kill_loop, lane_processes, smtp_server

SEEDS = int(os.environ.get("SEEDS", "30"))
READERS = int(os.environ.get("READERS", "5000"))
KILLS = int(os.environ.get("KILLS", "20"))
LANES = int(os.environ.get("LANES", "4"))
COPIES_IN_FLIGHT = int(os.environ.get("COPIES_IN_FLIGHT", "50"))
LEASE_SECONDS = 3

say = functools.partial(_figures.say, "kill")


def main() -> None:
    """All seeds, then what they have in common."""
    with smtp_server.running() as mail:
        extra = {"COPIES_IN_FLIGHT": str(COPIES_IN_FLIGHT), "LEASE_SECONDS": str(LEASE_SECONDS)}
        with lane_processes.nursery(database=settings.DATABASE_URL, mail_port=mail.port, **extra) as nursery:
            verdicts = [one(seed, mail, nursery) for seed in range(1, SEEDS + 1)]
    say("seeds that held", sum(one.is_good for one in verdicts), "seeds", seeds=SEEDS)
    say("copies twice", sum(one.duplicates for one in verdicts), "copies")
    say("readers missing and not listed", sum(one.missing for one in verdicts), "readers")
    say("uncertain at most", max(one.uncertain for one in verdicts), "copies", bound=max(one.bound for one in verdicts))
    sys.exit(0 if all(one.is_good for one in verdicts) else 1)


def one(seed: int, mail: smtp_server.Server, nursery: lane_processes.Nursery) -> kill_loop.Verdict:
    """One issue, sent in spite of everything."""
    issue = _audience.planned_issue(_audience.create(readers=READERS))
    verdict = kill_loop.run(
        issue=issue, mail=mail, nursery=nursery, seed=seed, lanes=LANES, kills=KILLS, in_flight=COPIES_IN_FLIGHT
    )
    say("seed", seed, "number", **dataclasses.asdict(verdict), is_good=verdict.is_good)
    return verdict


if __name__ == "__main__":
    main()
