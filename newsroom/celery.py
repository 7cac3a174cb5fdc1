"""The Celery app: the worker and beat are started with `-A newsroom.celery:app`."""

from __future__ import annotations

import functools
import logging
import os
from typing import Any

import redis
from celery import Celery
from celery.contrib.django.task import DjangoTask
from celery.signals import celeryd_after_setup
from django.db import transaction
from kombu.exceptions import OperationalError

from newsroom import kombu_fix, quick_start, worker_heartbeat, workers

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
quick_start.begin()

log = logging.getLogger(__name__)


class HintTask(DjangoTask):  # type: ignore[type-arg]  # generic only in the stubs
    """A task is a hint to look at rows: a broker that is away delays the work and never fails its caller."""

    abstract = True

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]  # nothing is queued yet, so there is no result
        """Queue the task once the transaction is committed; a broker that is away is logged, not raised."""
        transaction.on_commit(functools.partial(self._hint, args, kwargs))

    def hint_in(self, seconds: float, *args: Any) -> None:
        """`delay_on_commit` for a task that is to run some seconds later, a minute at most."""
        transaction.on_commit(functools.partial(self._hint, args, {}, countdown=seconds))

    def _hint(self, args: tuple[Any, ...], kwargs: dict[str, Any], **options: Any) -> None:
        try:
            self.apply_async(args, kwargs, retry=False, **options)
        except (OperationalError, OSError, redis.RedisError):
            log.warning("the broker is away: %s waits for the clock", self.name)


@celeryd_after_setup.connect
def choose_queues(**_signal: Any) -> None:
    """Let a worker that is started as before there was the queue `ticks` take it too, and say what that costs."""
    queues = workers.completed(list(app.amqp.queues.consume_from))
    app.amqp.queues.select(queues)
    if workers.is_mixed(queues):
        log.warning(
            "This worker takes %s with the same processes: letters and ticks may wait a minute for an issue. "
            "Start three workers instead, as in docs/operations.md.",
            ", ".join(queues),
        )


# Importing it lets every worker say that it lives.
__all__ = ["HintTask", "app", "worker_heartbeat"]

kombu_fix.use()
app = Celery("newsroom", task_cls=HintTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
