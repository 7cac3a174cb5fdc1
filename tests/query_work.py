"""How much the database works for some code, in rows: the same number on any machine and under any load."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection
from django.db.models import Model

from tests import ownership

EXPLAIN = "EXPLAIN (ANALYZE, FORMAT JSON, COSTS OFF, TIMING OFF, BUFFERS OFF, SUMMARY OFF) "
STATEMENTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


class Work:
    """What was asked of the database: each statement, and the rows that all of them together read and compared."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.rows = 0

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Django's execute wrapper: each statement is run twice, and the first time is rolled back."""
        self.statements.append(sql)
        if sql.startswith(STATEMENTS) and not many:
            self.rows += _rows(_plan(sql, params))
        return execute(sql, params, many, context)


@contextlib.contextmanager
def measured() -> Iterator[Work]:
    """The work of what is done inside, which is one transaction."""
    work = Work()
    with connection.execute_wrapper(work):
        yield work


def take_for_empty(*models: type[Model]) -> None:
    """Let the planner believe that these tables have no rows, as after a bulk load into empty ones (PostgreSQL 18).

    Its statistics are those of a table that was vacuumed while it was empty, until the end of the transaction.
    """
    for model in models:
        _set_statistics(model, pages=30, rows=0)


def take_for_unknown(model: type[Model]) -> None:
    """Let the planner know nothing of this table, as before its first VACUUM, until the end of the transaction."""
    _set_statistics(model, pages=0, rows=-1)


def _set_statistics(model: type[Model], *, pages: int, rows: int) -> None:
    with ownership.owner(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', %s::text,"
            " 'relpages', %s::integer, 'reltuples', %s::real)",
            [model._meta.db_table, pages, rows],
        )


def _plan(sql: str, params: Any) -> dict[str, Any]:
    """The plan as it was executed."""
    with connection.connection.cursor() as cursor:
        cursor.execute("SAVEPOINT query_work")
        cursor.execute(EXPLAIN + sql, params)
        [(plans,)] = cursor.fetchall()
        cursor.execute("ROLLBACK TO SAVEPOINT query_work")
        cursor.execute("RELEASE SAVEPOINT query_work")
    plan: dict[str, Any] = plans[0]["Plan"]
    return plan


def _rows(plan: dict[str, Any]) -> int:
    """Rows that came out of each node of the plan, and those that it looked at and threw away."""
    handled = sum(value for name, value in plan.items() if name == "Actual Rows" or name.startswith("Rows Removed by"))
    looked_at: int = round(handled * plan["Actual Loops"])
    return looked_at + sum(_rows(part) for part in plan.get("Plans", ()))
