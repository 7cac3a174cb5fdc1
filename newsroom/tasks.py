"""The task that beat puts into every queue each minute, and the work of each minute for the desk."""

from celery import shared_task
from django.utils import timezone

from newsroom.desk import growth, standing
from publication import page_changes, purging
from subscribers import import_jobs, reductions


@shared_task
def ping() -> None:
    """Do nothing: that it was done proves that somebody takes the queue (worker_heartbeat)."""


@shared_task
def tick() -> None:
    """Go on with uploads and moves of readers that nobody works on, and count readers for the desk's first page.

    Before them, repeat to Redis and to shared caches what has changed of the public pages.
    """
    now = timezone.now()
    page_changes.repeat()
    purging.purge_due(now=now)
    import_jobs.sweep(now=now)
    reductions.sweep()
    if now.minute % growth.EVERY_MINUTES == 0:
        growth.refresh(now=now)
        standing.refresh()
