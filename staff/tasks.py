"""The tasks of this app. A task may run never, once or five times; the rows decide."""

from celery import shared_task
from django.db import transaction

from core import database_clock
from staff import letters, links, sealing
from staff.models import Invitation, PasswordRequest


@shared_task
def mail_invitation(invitation_id: int) -> None:
    """Send one invitation, unless that was done."""
    with transaction.atomic():
        rows = Invitation.objects.select_for_update(skip_locked=True, of=("self",))
        row = rows.filter(pk=invitation_id, mailed_at=None).exclude(invited_by=None).first()
        if row is not None:
            letters.invitation(row=row, link=links.join(row))
            Invitation.objects.filter(pk=row.pk).update(mailed_at=database_clock.now())


@shared_task
def mail_password(request_id: int) -> None:
    """Look at one request for a new password."""
    with transaction.atomic():
        row = PasswordRequest.objects.select_for_update(skip_locked=True).filter(pk=request_id).first()
        if row is not None:
            letters.passwords(row=row, now=database_clock.now())
            row.delete()


@shared_task
def tick() -> None:
    """Send what was not sent: its task was lost, or the mail server was away. Seal secrets with the present key."""
    now = database_clock.now()
    sealing.renew()
    waiting = Invitation.objects.filter(mailed_at=None, accepted_at=None, withdrawn_at=None, expires_at__gt=now)
    for pk in waiting.exclude(invited_by=None).values_list("pk", flat=True):
        mail_invitation.delay(pk)
    for pk in PasswordRequest.objects.values_list("pk", flat=True):
        mail_password.delay(pk)
