"""Whether workers and beat work: one sentence about each that does not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from newsroom import workers
from newsroom.worker_heartbeat import Process, Signs

# How many heartbeats, sent every HEARTBEAT_SECONDS, may be missing.
MISSED: Final = 6
# Beat sends something every minute.
IDLE_SECONDS: Final = 180.0
# A tick may take as long as a task may last, which is five minutes.
UNDONE_SECONDS: Final = 400.0
# A task is put into every queue each minute.
UNSERVED_SECONDS: Final = 180.0


PARTS: Final = ("beat", *(worker.name for worker in workers.read()))


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a part does nothing, as a sentence; `heard` is since somebody last said that he does it, in seconds."""

    why: str
    heard: float = math.inf


def faults(*, signs: Signs, done: float | None) -> dict[str, Fault | None]:
    """Beat and each worker of a site, with what is wrong with it.

    `done` is since the clock's work was last done to its end; None when that is not known.
    """
    parts = {"beat": beat_fault(signs)}
    for worker in workers.read():
        faults = [queue_fault(queue, signs) for queue in worker.queues]
        parts[worker.name] = next(filter(None, faults), None)
    parts["ticks"] = parts["ticks"] or _work_fault(done, signs)
    return parts


def _work_fault(done: float | None, signs: Signs) -> Fault | None:
    undone = min(done or 0.0, _expected_for(takers("ticks", signs), signs))
    if undone <= UNDONE_SECONDS:
        return None
    why = f"The clock's work was not done to its end for {undone:.0f} s: see the log of the worker for ticks."
    return Fault(why, 0.0)


def silent_after() -> float:
    """Seconds without a heartbeat after which a process counts as hung."""
    return float(MISSED * settings.HEARTBEAT_SECONDS)


def beat_fault(signs: Signs) -> Fault | None:
    """Why what is due is not sent."""
    if not signs.beats:
        return Fault("No clock runs: start Celery beat.")
    alive = _alive(signs.beats)
    if not alive:
        last = min(signs.beats, key=lambda beat: beat.age)
        why = f"The clock, {last.name}, has said nothing for {last.age:.0f} s: it has died or stands still."
        return Fault(why, last.age)
    idle = min(signs.since, *(beat.idle for beat in alive))
    if idle <= IDLE_SECONDS:
        return None
    return Fault(f"The clock runs and has sent nothing for {idle:.0f} s: restart Celery beat.", 0.0)


def takers(queue: str, signs: Signs) -> list[Process]:
    """The workers that take this queue and live."""
    return _alive([worker for worker in signs.workers if queue in worker.queues])


def queue_fault(queue: str, signs: Signs) -> Fault | None:
    """Why nobody does the tasks of this queue."""
    does = workers.QUEUES[queue]
    alive = takers(queue, signs)
    if not alive:
        dead = [worker for worker in signs.workers if queue in worker.queues]
        if not dead:
            return Fault(f"No worker {does}: start one for the queue “{queue}”.")
        last = min(dead, key=lambda worker: worker.age)
        silent = f"has said nothing for {last.age:.0f} s: it has died or stands still."
        return Fault(f"The worker {last.name}, which {does}, {silent}", last.age)
    unserved = unserved_seconds(queue, alive, signs)
    if unserved <= unserved_limit(queue):
        return None
    why = f"A worker runs that {does}, and no task of “{queue}” was finished for {unserved:.0f} s: restart it."
    return Fault(why, 0.0)


def unserved_limit(queue: str) -> float:
    """How long no task of the queue may have been finished. Lanes may keep every process as long as a task may last."""
    return float(settings.CELERY_TASK_TIME_LIMIT + 60) if queue == "digest" else UNSERVED_SECONDS


def unserved_seconds(queue: str, alive: list[Process], signs: Signs) -> float:
    """How long a task of the queue could have been finished by these workers and none was."""
    return min(signs.finished.get(queue, 0.0), _expected_for(alive, signs))


def _expected_for(alive: list[Process], signs: Signs) -> float:
    """How long there was somebody to send a task and somebody to take it."""
    sending = [beat.uptime for beat in _alive(signs.beats) if beat.idle <= IDLE_SECONDS]
    taking = [worker.uptime for worker in alive]
    return min(max(sending, default=0.0), max(taking, default=0.0), signs.since)


def _alive(processes: list[Process]) -> list[Process]:
    return [process for process in processes if process.age <= silent_after()]
