"""Which queue takes a task, and which worker takes a queue, so that what is quick waits for nothing that is slow.

A process that has a lane is busy for a minute, and one that composes may be for longer. So letters, ticks and
lanes have processes of their own. `bin/run` starts the three workers; docs/operations.md has their commands.
"""

from dataclasses import dataclass
from typing import Final

from celery.schedules import crontab

from newsroom import env

# Queue -> what a worker that takes it does, as a sentence says it.
QUEUES: Final = {
    "transactional": "sends letters",
    "ticks": "does the clock's work",
    "webhooks": "reads the reports of providers and mailboxes",
    "digest": "sends issues",
}
# Task -> its queue. Any other is done beside the ticks, and never where a letter or a lane would have to wait for it.
ROUTES: Final = {
    "subscribers.tasks.send_letter": {"queue": "transactional"},
    "staff.tasks.mail_*": {"queue": "transactional"},
    "digests.feedback.processing.*": {"queue": "webhooks"},
    "digests.sending.tasks.run_lane": {"queue": "digest"},
    "digests.sending.tasks.plan_issue": {"queue": "digest"},
}
TICKING: Final = ("articles", "subscribers", "digests", "staff", "newsroom")
# Once a minute; what is due is computed from rows. A tick nobody took within the minute is dropped.
SCHEDULE: Final = {
    f"{app}.tasks.tick": {"task": f"{app}.tasks.tick", "schedule": crontab(), "options": {"expires": 55}}
    for app in TICKING
} | {
    f"newsroom.tasks.ping {queue}": {
        "task": "newsroom.tasks.ping",
        "schedule": crontab(),
        "options": {"queue": queue, "expires": 55},
    }
    for queue in QUEUES
}


@dataclass(frozen=True, slots=True)
class Worker:
    """One of the workers that a site needs. Each of its processes takes a task from the first queue that has one."""

    name: str
    queues: tuple[str, ...]
    processes: int


def read() -> list[Worker]:
    """Every worker, with as many processes as the environment says."""
    return [
        Worker("letters", ("transactional",), env.number("LETTER_CONCURRENCY", 2, least=1, most=1_000)),
        # Composing, the letters whose task was lost, and a flood of reports take one each; the fourth is for the rest.
        Worker("ticks", ("ticks", "webhooks"), env.number("TICK_CONCURRENCY", 4, least=2, most=1_000)),
        Worker("issues", ("digest",), env.number("WORKER_CONCURRENCY", 4, least=1, most=1_000)),
    ]


def completed(queues: list[str]) -> list[str]:
    """The queues of a worker that is started for these, in the order in which it empties them.

    The clock's ticks came with `transactional` and `digest` before they had a queue of their own. A worker that is
    started as it was then takes them too, or nobody would.
    """
    known = [name for name in QUEUES if name in queues or (name == "ticks" and "webhooks" in queues)]
    return [*known, *(name for name in queues if name not in QUEUES)]


def is_mixed(queues: list[str]) -> bool:
    """Whether lanes may take the processes that letters or ticks need."""
    return "digest" in queues and not {"transactional", "ticks"}.isdisjoint(queues)
