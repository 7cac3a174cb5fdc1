"""The task that beat puts into every queue each minute, and the work of each minute for imports."""

from celery import shared_task
from django.utils import timezone

from subscribers import import_jobs


@shared_task
def ping() -> None:
    """Do nothing: that it was done proves that somebody takes the queue (worker_heartbeat)."""


@shared_task
def sweep_imports() -> None:
    """Go on with uploads that nobody works on, and forget old ones."""
    import_jobs.sweep(now=timezone.now())
