"""The seeded kill-loop: an issue is sent by several lanes that are killed over and over, to a server that fails.

The mail server puts off 2 % of the readers once, refuses 1 %, and takes 1 % of the copies without
being able to say so. `run` returns what a judge counts: the server's copies beside the rows.
"""

import random
import time
from dataclasses import dataclass
from typing import Any

from digests import stats
from digests.models import Delivery, Issue
from tests.faults import lane_processes, smtp_server

DEFERRED, REFUSED, LOST = 0.02, 0.01, 0.01


def script() -> dict[str, Any]:
    """The mix of faults."""
    return {
        "rules": [
            {"at": "RCPT", "share": DEFERRED, "each": 1, "do": "reply", "reply": "451 4.3.0 Try again later"},
            {"at": "RCPT", "share": REFUSED, "do": "reply", "reply": "550 5.1.1 No such user"},
            {"at": "ACCEPTED", "share": LOST, "do": "rst"},
        ]
    }


@dataclass(frozen=True)
class Verdict:
    """What came of one run."""

    seed: int
    readers: int
    kills: int
    copies: int
    duplicates: int
    # Readers without a copy that no list shows: neither uncertain nor refused.
    missing: int
    # Rows that call a copy accepted which the server does not have.
    invented: int
    uncertain: int
    # How many uncertain copies the kills and the lost replies allow.
    bound: int
    put_off: int
    refused: int
    conserved: bool
    state: str
    seconds: float

    @property
    def is_good(self) -> bool:
        """The contract of design 6."""
        expected = Issue.State.SENT_WITH_EXCEPTIONS if self.uncertain else Issue.State.SENT
        nothing_wrong = not (self.duplicates or self.missing or self.invented)
        return nothing_wrong and self.uncertain <= self.bound and self.conserved and self.state == expected


def run(
    *,
    issue: Issue,
    mail: smtp_server.Server,
    nursery: lane_processes.Nursery,
    seed: int,
    lanes: int,
    kills: int,
    in_flight: int,
    seconds: float = 120.0,
) -> Verdict:
    """Send the planned issue with `lanes` processes, kill one of them `kills` times, and judge.

    The kills are spread over the whole issue by the copies that have left, so that a slow machine
    has as many as a fast one; which lane dies and at which instant follows from the seed. The last
    comes early enough to be reached: each of them may take its share of the copies with it.
    """
    chance = random.Random(seed)
    mail.begin_again(script())
    began = time.monotonic()
    readers = issue.deliveries.count()
    living = [nursery.start(issue_id=issue.pk, lane=lane, until_closed=True) for lane in range(lanes)]
    for goal in sorted(chance.randrange(readers // 50, readers * 7 // 10) for _ in range(kills)):
        _wait_for_copies(mail, goal, began + seconds)
        time.sleep(chance.uniform(0, 0.02))
        place = chance.randrange(lanes)
        living[place].kill()
        living[place].wait()
        living[place] = nursery.start(issue_id=issue.pk, lane=place, until_closed=True)
    for lane in living:
        lane.wait(max(1.0, began + seconds - time.monotonic()))
    lost = mail.script.rules[2].seen
    return judge(issue, mail, seed, kills, kills * in_flight + lost, time.monotonic() - began)


def judge(issue: Issue, mail: smtp_server.Server, seed: int, kills: int, bound: int, seconds: float) -> Verdict:
    """Count the server's copies beside the rows."""
    issue.refresh_from_db()
    copies = mail.copies()
    rows = dict(issue.deliveries.values_list("subscriber__address", "state"))
    by_state = stats.progress(issue).by_state
    without = rows.keys() - copies.keys()
    listed = {Delivery.State.UNCERTAIN, Delivery.State.REJECTED}
    return Verdict(
        seed=seed,
        readers=len(rows),
        kills=kills,
        copies=sum(copies.values()),
        duplicates=sum(copies.values()) - len(copies),
        missing=sum(rows[one] not in listed for one in without),
        invented=sum(rows[one] == Delivery.State.ACCEPTED for one in without),
        uncertain=by_state.get(Delivery.State.UNCERTAIN, 0),
        bound=bound,
        put_off=mail.script.rules[0].seen,
        refused=by_state.get(Delivery.State.REJECTED, 0),
        conserved=stats.progress(issue).conserved,
        state=issue.state,
        seconds=round(seconds, 2),
    )


def _wait_for_copies(mail: smtp_server.Server, goal: int, deadline: float) -> None:
    while len(mail.accepted) < goal:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(mail.accepted)} of {goal} copies after all the time there was")
        time.sleep(0.002)
