"""Several acts at the same instant, each on a database connection of its own."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection

START_SECONDS, END_SECONDS = 10, 60


def at_once(*works: Callable[[], object]) -> list[Any]:
    """Run the works in threads that start together; what each returned, or the exception that it raised."""
    start = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(place: int) -> None:
        try:
            start.wait(START_SECONDS)
            results[place] = works[place]()
        except Exception as fault:  # noqa: BLE001  # whatever it was, the test compares it
            results[place] = fault
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[place], daemon=True) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(END_SECONDS)
    assert not any(thread.is_alive() for thread in threads), "one of them waits for ever"
    return results


def faults(*works: Callable[[], object]) -> list[Exception]:
    """Run them as `at_once` does; what went wrong."""
    return [result for result in at_once(*works) if isinstance(result, Exception)]
