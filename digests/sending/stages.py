"""The stages of a copy's way at which a test lets a lane's process die, as `kill -9` would.

CRASH_AT="intended:2" in the environment kills the process when it reaches that stage for the
second time. Without it `reached` is one test of one name. What happens on the wire between
`intended` and `answered` is not named here: there the mail server of the tests kills the lane,
so the transports know nothing of it.
"""

from __future__ import annotations

import os
import signal
from typing import Final

STAGES: Final = (
    "claimed",  # the rows are held
    "rendered",  # the copies are built, in the transaction that will record the intent
    "intended",  # the intent is committed, nothing has left
    "answered",  # the server's answer to one copy was read
    "settling",  # some answers are there, and none of these is written
    "settled",  # the results are committed
)

_left: dict[str, int] = {}


class UnknownStage(Exception):
    """CRASH_AT names no stage, or no number from 1; str() says what it may be."""


def arm(crash_at: str) -> None:
    """Die at "stage:count"; empty text disarms. Raises UnknownStage."""
    _left.clear()
    if not crash_at:
        return
    stage, _, count = crash_at.partition(":")
    if stage not in STAGES or not (count.isascii() and count.isdigit() and int(count)):
        raise UnknownStage(f"CRASH_AT is one of {', '.join(STAGES)}, a colon and a number from 1.")
    _left[stage] = int(count)


def reached(stage: str) -> None:
    """Die here if that was asked for."""
    if not _left or stage not in _left:
        return
    _left[stage] -= 1
    if not _left[stage]:
        os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ.get("CRASH_AT", ""))
