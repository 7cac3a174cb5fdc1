"""Celery's scheduler, which also writes a heartbeat."""

from __future__ import annotations

import socket
import time
from typing import Any

from celery import beat
from django.conf import settings

from newsroom import worker_heartbeat


class Scheduler(beat.Scheduler):
    """Keeps no file: what is due is computed from rows, so a beat that starts has missed nothing."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.name = f"beat@{socket.gethostname()}"
        self.sent_at = time.monotonic()
        self.said_at = float("-inf")
        super().__init__(*args, **options)

    def tick(self, *args: Any, **options: Any) -> float:
        """Send one task that is due; returns the seconds until the next look."""
        if time.monotonic() >= self.said_at + settings.HEARTBEAT_SECONDS:
            self.said_at = time.monotonic()
            worker_heartbeat.beat_turns(name=self.name, idle=time.monotonic() - self.sent_at)
        return float(super().tick(*args, **options))

    def apply_async(self, *args: Any, **options: Any) -> Any:
        """Send a task. On failure: beat logs it, and nothing was sent."""
        sent = super().apply_async(*args, **options)
        self.sent_at = time.monotonic()
        return sent
