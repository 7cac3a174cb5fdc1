"""Advisory locks of PostgreSQL: for what only one process of all hosts may do at a time.

A lock is known by its name: words, as "lane 7 0". Constants hold the names that more than one line uses.
"""

import contextlib
import hashlib
import logging
from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.db import connection

log = logging.getLogger(__name__)

# For sessions that are not Django's. Each waits, and takes one parameter: `key(name)`.
UNTIL_DISCONNECT: Final = "SELECT pg_advisory_lock(%s)"
UNTIL_COMMIT: Final = "SELECT pg_advisory_xact_lock(%s)"

_SHARED_UNTIL_COMMIT: Final = "SELECT pg_advisory_xact_lock_shared(%s)"
_TRY: Final = "SELECT pg_try_advisory_lock(%s)"
_RELEASE: Final = "SELECT pg_advisory_unlock(%s)"

# A process that is stopped or frozen keeps its connection, and with it its lock, for as long as it sleeps.
# The server waits for such a client; one that waits for the server may be slow, and is left alone. The second
# argument of pg_terminate_backend waits, in ms, until the session is gone.
_END_SLEEPER: Final = """
SELECT pg_terminate_backend(session.pid, 5000)
FROM pg_locks AS held JOIN pg_stat_activity AS session ON session.pid = held.pid
WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
    AND (held.classid::bigint << 32 | held.objid::bigint) = %s
    AND session.datname = current_database() AND session.usename = current_user
    AND (session.state <> 'active' OR session.wait_event_type = 'Client')
    AND session.state_change < now() - %s * interval '1 second'
"""


def key(name: str) -> int:
    """The signed 64-bit number by which PostgreSQL knows the lock of this name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


@contextlib.contextmanager
def advisory_lock(name: str, *, asleep_after: float | None = None) -> Iterator[bool]:
    """Whether nobody else holds the lock; never waits. A killed process loses it with its connection.

    So does one that sleeps: the connection of a holder that has sent its database nothing for `asleep_after`
    seconds is ended, and its next statement fails. Unless it is given, that is how long a task may take.
    The lock is released even by a connection that breaks.
    """
    seconds = settings.CELERY_TASK_TIME_LIMIT if asleep_after is None else asleep_after
    held = _ask(_TRY, name) or (_end_sleeper(name, seconds) and _ask(_TRY, name))
    try:
        yield held
    finally:
        if held and connection.is_usable():
            _ask(_RELEASE, name)


def wait_until_commit(name: str) -> None:
    """Wait for the lock, and hold it alone to the end of the transaction."""
    _ask(UNTIL_COMMIT, name)


def wait_and_read(name: str, statement: str) -> tuple[Any, ...] | None:
    """`wait_until_commit`, and in the same round trip the first row of a statement without parameters.

    It sees what the holder before us committed: to PostgreSQL it is a statement of its own.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"{UNTIL_COMMIT}; {statement}", [key(name)])
        cursor.nextset()
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def share_until_commit(name: str) -> None:
    """Wait while somebody holds the lock alone, and share it to the end of the transaction."""
    _ask(_SHARED_UNTIL_COMMIT, name)


def _end_sleeper(name: str, seconds: float) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_END_SLEEPER, [key(name), seconds])
        is_ended = bool(cursor.fetchall())
    if is_ended:
        log.warning("a process that slept for more than %.0f s lost its lock and its connection", seconds)
    return is_ended


def _ask(statement: str, name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, [key(name)])
        return cursor.fetchone()[0] is True
