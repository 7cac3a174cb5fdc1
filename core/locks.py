"""Advisory locks of PostgreSQL: for what only one process of all hosts may do at a time.

A lock is known by its name: words, as "lane 7 0". Constants hold the names that more than one line uses.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Final

from django.db import connection

# For sessions that are not Django's. Each waits, and takes one parameter: `key(name)`.
UNTIL_DISCONNECT: Final = "SELECT pg_advisory_lock(%s)"
UNTIL_COMMIT: Final = "SELECT pg_advisory_xact_lock(%s)"

_SHARED_UNTIL_COMMIT: Final = "SELECT pg_advisory_xact_lock_shared(%s)"
_TRY_UNTIL_COMMIT: Final = "SELECT pg_try_advisory_xact_lock(%s)"
_TRY: Final = "SELECT pg_try_advisory_lock(%s)"
_RELEASE: Final = "SELECT pg_advisory_unlock(%s)"


def key(name: str) -> int:
    """The signed 64-bit number by which PostgreSQL knows the lock of this name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


@contextlib.contextmanager
def advisory_lock(name: str) -> Iterator[bool]:
    """Whether nobody else holds the lock; never waits. A killed process loses it with its connection.

    It is released even by a connection that breaks.
    """
    held = _ask(_TRY, name)
    try:
        yield held
    finally:
        if held and connection.is_usable():
            _ask(_RELEASE, name)


def wait_until_commit(name: str) -> None:
    """Wait for the lock, and hold it alone to the end of the transaction."""
    _ask(UNTIL_COMMIT, name)


def share_until_commit(name: str) -> None:
    """Wait while somebody holds the lock alone, and share it to the end of the transaction."""
    _ask(_SHARED_UNTIL_COMMIT, name)


def try_until_commit(name: str) -> bool:
    """Hold the lock alone to the end of the transaction, unless somebody holds or shares it; never waits."""
    return _ask(_TRY_UNTIL_COMMIT, name)


def _ask(statement: str, name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, [key(name)])
        return cursor.fetchone()[0] is True
