"""The clock's door: once a minute, what is due is composed and the engine is woken."""

from __future__ import annotations

import logging
from datetime import datetime

from celery import shared_task
from django.utils import timezone

from digests import composing, pulse, settling
from digests.returns import mailbox
from digests.sending import pump, tasks

log = logging.getLogger(__name__)


@shared_task
def tick() -> None:
    """Compose what is due, wake the engine, settle events, read returned mail, and say that it was done.

    Harmless when late, early or doubled.
    """
    now = timezone.now()
    for step in (composing.compose_due, _wake_engine, settling.settle, mailbox.read_configured, _beat):
        try:
            step(now=now)
        except Exception:
            # One broken step must not keep the others from running.
            log.exception("the clock's step %s failed", step.__name__)


def _wake_engine(*, now: datetime) -> None:
    for issue_id in pump.pump(now=now):
        tasks.hint_wake(issue_id)


def _beat(*, now: datetime) -> None:
    pulse.beat(work="clock", now=now)
