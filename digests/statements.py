"""Our own SQL, planned once for each connection.

Django sends every statement as text, to be parsed and planned anew each time. For those that a lane
sends for every batch, or a web process for every report, the planning took as long as the work.
These are prepared (psycopg's `prepare=True`) and their values travel beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

Parameters = Mapping[str, Any] | Sequence[Any]

# Only what is asked for here is prepared; nothing becomes prepared by being sent often.
_NEVER_BY_ITSELF = 2**31


def rows(sql: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """The rows that the statement returns. Raises as Django's own cursors do."""
    database = connections[DEFAULT_DB_ALIAS]
    with database.wrap_database_errors:
        return _execute(database, sql, parameters).fetchall()


def count(sql: str, parameters: Parameters) -> int:
    """How many rows the statement changed. Raises as Django's own cursors do."""
    database = connections[DEFAULT_DB_ALIAS]
    with database.wrap_database_errors:
        return _execute(database, sql, parameters).rowcount


def array(numbers: Iterable[int]) -> str:
    """The numbers as a value for `%s::bigint[]`: of a list, psycopg asks for each number's type."""
    return f"{{{','.join(map(str, numbers))}}}"


def _execute(database: BaseDatabaseWrapper, sql: str, parameters: Parameters) -> psycopg.Cursor[tuple[Any, ...]]:
    database.ensure_connection()
    database.validate_no_broken_transaction()
    session: psycopg.Connection[tuple[Any, ...]] = database.connection
    session.prepare_threshold = _NEVER_BY_ITSELF
    cursor = psycopg.Cursor(session)
    cursor.execute(sql.encode(), parameters, prepare=True)
    return cursor
