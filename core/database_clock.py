"""The clock that decides: PostgreSQL's, which all hosts share.

A host's own clock may be wrong by a year, and one minute of such a host must not write what everybody
else then believes. So the clock's work asks here what time it is, a host that differs too much does no
such work, and nothing that decides later is written ahead of this clock.
"""

from __future__ import annotations

import logging
import socket
from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.utils import timezone

log = logging.getLogger(__name__)

# A host whose clock differs by more than this does not tick.
TOLERANCE: Final = timedelta(minutes=1)


class HostClockWrong(Exception):
    """This host's clock differs too much; str() is a sentence that says by how much, and what to do."""


def now() -> datetime:
    """The time of the database at this moment, whatever transaction is open. On failure: DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def not_ahead(*, moment: datetime) -> datetime:
    """The moment, or the time of the database where the moment is still to come."""
    return min(moment, now())


def for_tick() -> datetime:
    """The time for a minute's work: the database's. On failure: HostClockWrong."""
    moment = now()
    check(host=timezone.now(), database=moment)
    return moment


def check(*, host: datetime, database: datetime) -> None:
    """Return when the two clocks are close enough. On failure: HostClockWrong."""
    seconds = (host - database).total_seconds()
    if abs(seconds) > TOLERANCE.total_seconds():
        direction = "ahead of" if seconds > 0 else "behind"
        raise HostClockWrong(
            f"The clock of {socket.gethostname()} is {abs(seconds):,.0f} seconds {direction} the database's. "
            "This host does no work of the clock until that is mended: run a time service (NTP) on it."
        )
