"""Asking for a new password without signing in."""

from datetime import datetime

from django.db import transaction

from staff import tasks
from staff.models import PasswordRequest


def request(*, address: str, now: datetime) -> None:
    """Put the question to a worker, the same for every address: the page learns nothing that it could tell."""
    with transaction.atomic():
        row = PasswordRequest.objects.create(address=address.lower(), created_at=now)
        tasks.mail_password.delay_on_commit(row.pk)  # type: ignore[attr-defined]  # celery-types does not know Celery's Django task
