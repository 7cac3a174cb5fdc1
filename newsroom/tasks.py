"""The task that beat puts into every queue each minute."""

from celery import shared_task


@shared_task
def ping() -> None:
    """Do nothing: that it was done proves that somebody takes the queue (worker_heartbeat)."""
