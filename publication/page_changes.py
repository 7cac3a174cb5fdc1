"""Hears from the database that a transaction changes public pages, and tells Redis before and after its commit.

The database says so itself (`publication_raise`), to the session that sent the statement: a model's save, a bulk
update, raw SQL and COPY are all heard. Each connection of Django's has a listener of its own.
"""

import contextlib
import functools
import secrets
import time
import weakref
from collections.abc import Callable
from typing import Any, Final

import psycopg
import redis
from django.db import connection as default
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from core import page_epoch
from publication import page_versions

# The code of the message.
RAISED: Final = "NR001"
# A process that serves cached pages asks the database at least this often, whatever Redis says.
SECONDS_BETWEEN_LOOKS: Final = 1.0

Execute = Callable[[str, Any, bool, dict[str, Any]], Any]


class Listener:
    """What one connection has heard. `marked_at`: when Redis heard of the transaction under way."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        # The connection refers to its listener; the other way round it would never be closed.
        self.connection: BaseDatabaseWrapper = weakref.proxy(connection)
        self.token = ""
        self.marked_at = 0.0
        self.is_marked = True

    def on_notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        """The session's messages; runs in the middle of a statement, so it asks the database nothing."""
        if diagnostic.sqlstate != RAISED:
            return
        self._mark()
        if self.connection.in_atomic_block:
            transaction.on_commit(self.publish, using=self.connection.alias, robust=True)

    def on_statement(self, execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """Each statement: renew the mark of a long transaction; without a transaction, publish what was changed."""
        if self.token and not self.connection.in_atomic_block:
            self.publish()  # a transaction was rolled back
        elif self.token and time.monotonic() - self.marked_at > page_epoch.RENEW_SECONDS:
            self._mark()
        result = execute(sql, params, many, context)
        if self.token and not self.connection.in_atomic_block:
            self.publish()
        return result

    def publish(self) -> None:
        """After the commit: the new number to Redis. If Redis was away, wait until every process has looked itself."""
        token, self.token = self.token, ""
        if not token:
            return
        is_put = page_epoch.put(page_versions.epoch(), token=token)
        if not (self.is_marked and is_put):
            time.sleep(SECONDS_BETWEEN_LOOKS + page_epoch.SECONDS_TO_WAIT)
        self.is_marked = True

    def _mark(self) -> None:
        self.token = self.token or secrets.token_hex(8)
        self.marked_at = time.monotonic()
        self.is_marked = page_epoch.mark(self.token) and self.is_marked


# Of each session, the listener of the connection that uses it.
_listeners: weakref.WeakKeyDictionary[object, Listener] = weakref.WeakKeyDictionary()


@receiver(connection_created)
def listen(connection: BaseDatabaseWrapper, **_signal: object) -> None:
    """Hear what a new session says."""
    session, listener = connection.connection, Listener(connection)
    others = [each for each in connection.execute_wrappers if not isinstance(getattr(each, "__self__", None), Listener)]
    connection.execute_wrappers[:] = [*others, listener.on_statement]
    if session not in _listeners:
        session.add_notice_handler(functools.partial(_on_notice, weakref.ref(session)))
    _listeners[session] = listener


def _on_notice(session: weakref.ref[object], diagnostic: psycopg.errors.Diagnostic) -> None:
    if (listener := _listeners.get(session())) is not None:
        listener.on_notice(diagnostic)


def repeat() -> None:
    """Each minute: what Redis should say, should it have lost or never heard it.

    Only of a database that was restored from a copy can Redis be ahead: then every page is made again.
    """
    with contextlib.suppress(redis.RedisError):
        shown, known = page_epoch.shown(), page_versions.epoch()
        if shown is None or shown <= known:
            page_epoch.put(known)
            return
        with default.cursor() as cursor:
            cursor.execute("SELECT publication_raise('publication')")
