"""The backend: `ENGINE` in the settings names the package."""

import select
import time
from typing import Any, Final

import psycopg
from django.db.backends.postgresql import base, operations

# So often, at most, a connection that looks well is asked with a statement.
SECONDS_BETWEEN_QUESTIONS: Final = 1.0


class Operations(operations.DatabaseOperations):
    """What the log of statements says of one."""

    def last_executed_query(self, cursor: Any, sql: Any, params: Any) -> str:
        """Its text; of a prepared one, whose values psycopg does not put into it, the text with their places."""
        return super().last_executed_query(cursor, sql, params) or str(sql)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose check before the first use in a request mostly costs no round trip.

    A server that ends, or ends a session, says so on the socket, where it waits to be read: nothing there means that
    the connection is as it was. A host that vanished says nothing, so each second a statement asks.
    """

    ops_class = Operations
    _asked_at = float("-inf")

    def is_usable(self) -> bool:
        """Whether the connection can be used."""
        now = time.monotonic()
        if self.connection is not None and now - self._asked_at < SECONDS_BETWEEN_QUESTIONS and self._is_quiet():
            return True
        usable = super().is_usable()
        if usable:
            self._asked_at = now
        return usable

    def _is_quiet(self) -> bool:
        try:
            poll = select.poll()
            poll.register(self.connection.fileno(), select.POLLIN)
            return not poll.poll(0)
        except (OSError, psycopg.Error):
            return False
