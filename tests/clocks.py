"""The time that a test says it is: on this host and in the database, whose clock decides."""

import contextlib
from collections.abc import Iterator
from datetime import datetime
from unittest import mock

import time_machine

from core import database_clock


@contextlib.contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Stop both clocks at the moment."""
    with time_machine.travel(moment, tick=False), mock.patch.object(database_clock, "now", return_value=moment):
        yield
