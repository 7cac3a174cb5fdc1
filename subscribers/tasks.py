"""The tasks of this app. A task may run never, once or five times; the rows decide."""

import logging

from celery import shared_task

from core import database_clock
from staff import audit_heads
from subscribers import (
    address_change,
    consent_heads,
    effort,
    erasure,
    import_erasure,
    noes,
    noes_replay,
    privacy,
    reminders,
    verification,
    welcome,
)
from subscribers.letters import send

log = logging.getLogger(__name__)

HOUSEKEEPING_MINUTE = 17
# The whole record of consent is walked once a day, at an hour (UTC) at which few issues leave.
WALK_HOUR = 2


@shared_task
def send_letter(letter_id: int) -> None:
    """Send one letter if it is due and no other worker has claimed it."""
    now = database_clock.now()
    if noes_replay.is_done(now=now):
        send.send(letter_id=letter_id, now=now)


@shared_task
def sweep_letters() -> None:
    """Send all due letters: those whose task was lost, whose worker died, or whose retry is due."""
    if noes_replay.is_done(now=database_clock.now()):
        send.sweep(clock=database_clock.now)


@shared_task
def walk_record() -> None:
    """Verify the whole record of consent, for the first page of the desk and the proofs of readers."""
    for fault in verification.walk(now=database_clock.now()):
        log.error("%s", fault)


@shared_task
def remind() -> None:
    """Queue the reminders of sign-ups that nobody confirmed."""
    reminders.queue_due(now=database_clock.now())


@shared_task
def tick() -> None:
    """The work of each minute for readers; once an hour it also deletes expired personal data.

    A host whose own clock is wrong does none of it: data deleted too early is lost.
    """
    try:
        now = database_clock.for_tick()
    except database_clock.HostClockWrong as refusal:
        log.error("%s", refusal)
        return
    if now.minute % welcome.EVERY == 0:
        welcome.plan_due(now=now)
    sweep_letters()
    noes.write(now=now)
    import_erasure.clean()
    consent_heads.anchor(now=now)
    audit_heads.anchor(now=now)
    if now.minute == HOUSEKEEPING_MINUTE:
        privacy.truncate_origins(now=now)
        effort.forget_old(now=now)
        erasure.forget_unconfirmed(now=now)
        address_change.forget_old(now=now)
        reminders.forget_old(now=now)
        remind.delay()
        if now.hour == WALK_HOUR:
            walk_record.delay()
