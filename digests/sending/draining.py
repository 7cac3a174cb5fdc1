"""Tells the lanes of a worker that it is asked to stop, so that they end with the batch in hand.

A prefork worker's children never see the signal. One shared byte, mapped before they are forked,
is set by the parent and read by them.
"""

from __future__ import annotations

import mmap
import signal
from types import FrameType
from typing import Any

from celery.signals import worker_ready, worker_shutting_down

_asked = mmap.mmap(-1, 1)


@worker_shutting_down.connect
def ask(**_signal: Any) -> None:
    """Ask every lane of this worker to end after its batch."""
    _asked[0] = 1


@worker_ready.connect
def listen(**_signal: Any) -> None:
    """Hear a stop at its beginning: Celery announces a soft shutdown only when its seconds are over."""
    for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
        _ask_before(number)


def _ask_before(number: signal.Signals) -> None:
    celerys = signal.getsignal(number)
    if not callable(celerys):
        return

    def stop(received: int, frame: FrameType | None) -> None:
        ask()
        celerys(received, frame)

    signal.signal(number, stop)


def asked() -> bool:
    return _asked[0] == 1
