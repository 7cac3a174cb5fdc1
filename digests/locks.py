"""Locks of a database session: for what only one process of all hosts may do at a time."""

import contextlib
import hashlib
from collections.abc import Iterator

from django.db import connection


@contextlib.contextmanager
def alone(key: int) -> Iterator[bool]:
    """Whether nobody else holds the lock; never waits. A killed process loses it with its connection.

    It is given back even by a connection that breaks. `key` is a signed 64-bit number, one per use.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def number(words: str) -> int:
    """The key of a lock that is known by words, as "lane 7 0"."""
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big", signed=True)
