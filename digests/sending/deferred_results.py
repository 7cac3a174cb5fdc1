"""Results that the database could not take while their lane ran: the process keeps them until it is back.

A lane is a task and has to end long before the task's time limit, an outage need not. What became of a
copy is known to nobody else, so a thread of the same process goes on trying. The fence makes it
harmless: a result is taken only by a copy that nobody has touched since, at whatever hour.
"""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from django.db import InterfaceError, OperationalError, connection

log = logging.getLogger(__name__)

# After so long a result is given up. Its lease ran out long before, so the copy is `uncertain` and listed.
KEEP_SECONDS: Final = 1_800.0
LOOK_SECONDS: Final = 1.0

Write = Callable[[], object]


class ResultWriter:
    """Tries what waits, oldest first, in one thread that ends when there is nothing more."""

    def __init__(self, *, keep_seconds: float = KEEP_SECONDS) -> None:
        self._keep_seconds = keep_seconds
        self._waiting: collections.deque[tuple[float, Write]] = collections.deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def defer(self, write: Write) -> None:
        """Call `write` until it returns, as long as it raises that the database is away. Returns at once."""
        with self._lock:
            self._waiting.append((time.monotonic() + self._keep_seconds, write))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="late results", daemon=True)
                self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Whether nothing waits any more within that time."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return not self._waiting

    def _work(self) -> None:
        while (first := self._first()) is not None:
            until, write = first
            if self._is_done(write):
                self._waiting.popleft()
            elif time.monotonic() > until:
                log.error("the results of a batch are given up: its copies are uncertain once the database is back")
                self._waiting.popleft()
            else:
                time.sleep(LOOK_SECONDS)

    def _first(self) -> tuple[float, Write] | None:
        with self._lock:
            if self._waiting:
                return self._waiting[0]
            self._thread = None
        connection.close()
        return None

    def _is_done(self, write: Write) -> bool:
        try:
            write()
        except (OperationalError, InterfaceError):
            connection.close()
            return False
        except Exception:
            log.exception("a result that came late cannot be written")
        return True


_writer = ResultWriter()
defer = _writer.defer
wait = _writer.wait
