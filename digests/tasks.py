"""The tick: the scheduled work of each minute."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from celery import shared_task

from core import database_clock, locks
from digests import composing, heartbeat, replies
from digests.feedback import mailbox, processing, soft_bounces
from digests.sending import history, sweeper, tasks

log = logging.getLogger(__name__)

COMPOSE_LOCK: Final = "compose what is due"


@shared_task
def tick() -> None:
    """Wake the engine, compose due digests, process events, read returned mail, move old copies, write a heartbeat.

    A late, early or repeated tick is harmless. A host with a wrong clock does nothing and records why. Composing
    may take longer than a minute; the next tick then continues. Therefore sending comes first, and no tick waits
    for another.
    """
    try:
        now = database_clock.for_tick()
    except database_clock.HostClockWrong as refusal:
        log.error("%s", refusal)
        heartbeat.refuse(reason=str(refusal))
        return
    reports = (processing.settle, mailbox.read_configured, soft_bounces.sweep)
    for step in (_wake_engine, _compose, *reports, history.maintain, replies.forget, _beat):
        try:
            step(now=now)
        except Exception:
            # A failed step must not stop the others.
            log.exception("step %s of the tick failed", step.__name__)


def _wake_engine(*, now: datetime) -> None:
    for issue_id in sweeper.sweep(now=now):
        tasks.hint_wake(issue_id)


def _compose(*, now: datetime) -> None:
    with locks.advisory_lock(COMPOSE_LOCK) as held:
        if held:
            composing.compose_due(now=now)


def _beat(*, now: datetime) -> None:
    heartbeat.beat(work="clock", now=now)
