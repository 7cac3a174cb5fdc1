"""What workers do for readers. Every task may run never, once or five times; the rows decide."""

import logging

from celery import shared_task

from core import database_clock
from subscribers import consent_heads, erasure, privacy
from subscribers.letters import send

log = logging.getLogger(__name__)

HOUSEKEEPING_MINUTE = 17


@shared_task
def send_letter(letter_id: int) -> None:
    """Send one letter if it is due and nobody else is at it."""
    send.send(letter_id=letter_id, now=database_clock.now())


@shared_task
def sweep_letters() -> None:
    """Send whatever is due: letters whose task was lost, whose sender died, or whose retry has come."""
    send.sweep(clock=database_clock.now)


@shared_task
def tick() -> None:
    """The minute's work for readers; once an hour it also forgets what may not be kept.

    A host whose own clock is wrong does none of it: what is forgotten too early cannot be had back.
    """
    try:
        now = database_clock.for_tick()
    except database_clock.HostClockWrong as refusal:
        log.error("%s", refusal)
        return
    sweep_letters()
    consent_heads.anchor(now=now)
    if now.minute == HOUSEKEEPING_MINUTE:
        privacy.truncate_origins(now=now)
        erasure.forget_unconfirmed(now=now)
