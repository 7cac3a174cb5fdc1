"""How long statements take at the database."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from django.db import connection


@contextlib.contextmanager
def timed() -> Iterator[list[float]]:
    """The milliseconds of each statement inside, as this process waits for it."""
    spent: list[float] = []

    def around(execute: Any, *statement: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(*statement)
        finally:
            spent.append(1_000 * (time.perf_counter() - began))

    with connection.execute_wrapper(around):
        yield spent
