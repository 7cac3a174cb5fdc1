"""The worker's consumer, made to outlive a broker that stays away."""

from __future__ import annotations

import logging
from typing import Any

from celery.worker import consumer

log = logging.getLogger(__name__)


class Consumer(consumer.Consumer):
    """Celery's own, with one fault mended (kombu 5.7.0, celery 5.7.0).

    While a task is under way and Redis refuses connections, the lost connection is closed twice, and
    the second time kombu looks for its settings where it has just removed them. The AttributeError
    ended the whole worker, so that an outage of seconds stopped all mail until somebody came.
    """

    def on_connection_error_after_connected(self, exc: Exception) -> Any:
        """Let go of the lost connection; the worker then tries to connect anew until it can."""
        try:
            return super().on_connection_error_after_connected(exc)
        except AttributeError:
            if self.connection is not None:
                raise
            log.warning("the broker is away: its connection could not be closed in order")
