"""How long a lane's copies are its own, shared by the lane that keeps the lease and the transport that obeys it.

A lease is the database's: once it is over, any process may free the copy. Nothing of it may leave after that,
also when the process was stopped (SIGSTOP) or frozen, or its machine suspended, in the meantime. So the time
counts from before the lease was asked for, by a clock that goes on during such a sleep.

No clock inside goes on while a virtual machine is paused. Such a lane learns from the database, with the
first result that it writes or the first batch that it takes, that its rows are no longer its own.
"""

import math
import time
from typing import Final

# Linux stops CLOCK_MONOTONIC while the machine is suspended; macOS does not, and knows no other.
_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Seconds since some moment, those slept included."""
    return time.clock_gettime(_CLOCK)


class Lease:
    """Held until the moment `until` of `clock`. A new one has no end."""

    __slots__ = ("until",)

    def __init__(self) -> None:
        self.until = math.inf

    @property
    def is_held(self) -> bool:
        """Whether nobody else can have the copies yet. Asked before anything is written to a server."""
        return clock() < self.until
