"""Tells the lanes of a worker that it is asked to stop, so that they end with the batch in hand.

A prefork worker's children never see the signal. One shared byte, mapped before they are forked,
is set by the parent and read by them.
"""

from __future__ import annotations

import mmap
from typing import Any

from celery.signals import worker_shutting_down

_asked = mmap.mmap(-1, 1)


@worker_shutting_down.connect
def ask(**_signal: Any) -> None:
    """Ask every lane of this worker to end after its batch."""
    _asked[0] = 1


def asked() -> bool:
    return _asked[0] == 1
