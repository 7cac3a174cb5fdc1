"""Prepared statements: SQL that PostgreSQL parses and plans once per connection.

Django sends every statement as text, which PostgreSQL parses and plans each time. For the statements
that a lane sends per batch, or a web process per report or page, planning took as long as the work. They are
prepared here with psycopg's `prepare=True`; their values are sent as parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

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


def first(sql: str, parameters: Parameters) -> tuple[Any, ...] | None:
    """The first row, if there is one. For a page: the statement is logged and counted as Django's own are."""
    database = connections[DEFAULT_DB_ALIAS]
    session = _session(database)
    wrapped = database.make_debug_cursor if database.queries_logged else database.make_cursor
    with wrapped(_Prepared(session)) as cursor:  # type: ignore[arg-type]  # Django gives it cursors of psycopg too
        cursor.execute(sql, parameters)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def count(sql: str, parameters: Parameters) -> int:
    """How many rows the statement changed. Raises as Django's own cursors do."""
    database = connections[DEFAULT_DB_ALIAS]
    with database.wrap_database_errors:
        return _execute(database, sql, parameters).rowcount


def array(numbers: Iterable[int]) -> str:
    """The numbers as a value for `%s::bigint[]`. With a list, psycopg looks up the type of each number."""
    return f"{{{','.join(map(str, numbers))}}}"


class _Prepared(psycopg.Cursor[tuple[Any, ...]]):
    """Of Django's wrappers, which say nothing of preparing."""

    def execute(self, query: Any, params: Any = None, **_options: Any) -> Self:
        return super().execute(query.encode(), params, prepare=True)


def _execute(database: BaseDatabaseWrapper, sql: str, parameters: Parameters) -> psycopg.Cursor[tuple[Any, ...]]:
    return _Prepared(_session(database)).execute(sql, parameters)


def _session(database: BaseDatabaseWrapper) -> psycopg.Connection[tuple[Any, ...]]:
    database.ensure_connection()
    database.validate_no_broken_transaction()
    session: psycopg.Connection[tuple[Any, ...]] = database.connection
    session.prepare_threshold = _NEVER_AUTOMATICALLY
    return session
