"""The clock's door: once a minute, what is due is composed and the engine is woken."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final

from celery import shared_task

from core import database_clock, locks
from digests import composing, heartbeat
from digests.feedback import mailbox, processing
from digests.sending import history, sweeper, tasks

log = logging.getLogger(__name__)

COMPOSE_LOCK: Final = "compose what is due"


@shared_task
def tick() -> None:
    """Wake the engine, compose what is due, settle events, read returned mail, move old copies; say that it was done.

    Harmless when late, early or doubled. A host whose own clock is wrong does none of it, and says why. Composing
    may take longer than the minute until the next tick, which then does the rest; so what is being sent comes first,
    and no tick waits for another.
    """
    try:
        now = database_clock.for_tick()
    except database_clock.HostClockWrong as refusal:
        log.error("%s", refusal)
        heartbeat.refuse(reason=str(refusal))
        return
    for step in (_wake_engine, _compose, processing.settle, mailbox.read_configured, history.keep, _beat):
        try:
            step(now=now)
        except Exception:
            # One broken step must not keep the others from running.
            log.exception("the clock's step %s failed", step.__name__)


def _wake_engine(*, now: datetime) -> None:
    for issue_id in sweeper.sweep(now=now):
        tasks.hint_wake(issue_id)


def _compose(*, now: datetime) -> None:
    with locks.advisory_lock(COMPOSE_LOCK) as held:
        if held:
            composing.compose_due(now=now)


def _beat(*, now: datetime) -> None:
    heartbeat.beat(work="clock", now=now)
