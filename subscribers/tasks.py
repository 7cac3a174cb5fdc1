"""What workers do for readers. Every task may run never, once or five times; the rows decide."""

from celery import shared_task
from django.utils import timezone

from subscribers import erasure, heads, posting, privacy

HOUSEKEEPING_MINUTE = 17


@shared_task
def send_letter(letter_id: int) -> None:
    """Send one letter if it is due and nobody else is at it."""
    posting.send(letter_id=letter_id, now=timezone.now())


@shared_task
def pump_letters() -> None:
    """Send whatever is due: letters whose task was lost, whose sender died, or whose retry has come."""
    posting.pump(clock=timezone.now)


@shared_task
def tick() -> None:
    """The minute's work for readers; once an hour it also forgets what may not be kept."""
    pump_letters()
    now = timezone.now()
    heads.anchor(now=now)
    if now.minute == HOUSEKEEPING_MINUTE:
        privacy.truncate_origins(now=now)
        erasure.forget_unconfirmed(now=now)
