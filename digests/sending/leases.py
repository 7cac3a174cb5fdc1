"""The clock by which a lane knows how long its copies are its own.

A lease is the database's: once it is over, any process may free the copy. The lane must have stopped by
then, also when its process was stopped (SIGSTOP) or frozen, or its machine suspended, in the meantime. So
it counts from before it asked for the lease, by a clock that goes on during such a sleep.

No clock inside goes on while a virtual machine is paused. Such a lane learns from the database, with
the first result that it writes or the first batch that it takes, that its rows are no longer its own.
"""

from __future__ import annotations

import time
from typing import Final

# Linux stops CLOCK_MONOTONIC while the machine is suspended; macOS does not, and knows no other.
_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Seconds since some moment, those slept included."""
    return time.clock_gettime(_CLOCK)
