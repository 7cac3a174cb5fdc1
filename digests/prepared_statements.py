"""Prepared statements: SQL that PostgreSQL parses and plans once per connection.

Django sends every statement as text, which PostgreSQL parses and plans each time. For the statements
that a lane sends per batch, or a web process per report, planning took as long as the work. They are
prepared here with psycopg's `prepare=True`; their values are sent as parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

Parameters = Mapping[str, Any] | Sequence[Any]

# psycopg prepares a statement that was sent this often. Here only an explicit request counts.
_NEVER_AUTOMATICALLY = 2**31


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
    """The numbers as a value for `%s::bigint[]`. With a list, psycopg looks up the type of each number."""
    return f"{{{','.join(map(str, numbers))}}}"


def _execute(database: BaseDatabaseWrapper, sql: str, parameters: Parameters) -> psycopg.Cursor[tuple[Any, ...]]:
    database.ensure_connection()
    database.validate_no_broken_transaction()
    session: psycopg.Connection[tuple[Any, ...]] = database.connection
    session.prepare_threshold = _NEVER_AUTOMATICALLY
    cursor = psycopg.Cursor(session)
    cursor.execute(sql.encode(), parameters, prepare=True)
    return cursor
