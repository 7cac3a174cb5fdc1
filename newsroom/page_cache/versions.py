"""Whether a page is still as the database has it: a question to Redis now and then, and seldom one to the database.

The epoch that Redis shows is believed, for the time of its lease, if this process knows that epoch from the database
and has asked the database within the last second. Everything else is looked up there: a number that is missing or
another one, a connection that is new, a Redis that does not answer.
"""

import logging
import threading
import time

from django.db import Error, connection

from core import page_epoch
from newsroom.page_cache.resp import EpochReader
from newsroom.page_cache.store import Entry
from publication import page_changes
from publication.known_changes import KnownChanges

log = logging.getLogger(__name__)


class Versions:
    """What this process knows of changes, and for how long that may be believed."""

    def __init__(self) -> None:
        self._redis = EpochReader()
        self._lock = threading.Lock()
        self._changes = KnownChanges()
        self._looked_at = self._put_at = self._leased_until = float("-inf")

    def current(self) -> int | None:
        """The epoch of this instant, or of a later one; None if nobody can say."""
        asked_at = time.monotonic()
        if asked_at < self._leased_until:
            return self._changes.epoch
        shown = self._redis.read()
        if shown == self._changes.epoch and asked_at - self._looked_at < page_changes.SECONDS_BETWEEN_LOOKS:
            self._leased_until = asked_at + page_epoch.LEASE_SECONDS
            return shown
        try:
            return self._look(asked_at, shown)
        except Error:
            log.warning("the database cannot say whether pages have changed", exc_info=True)
            connection.close()
            # While it is away nothing is published; Redis knows the last change.
            return shown if shown == self._changes.epoch else None

    def is_fresh(self, entry: Entry, epoch: int) -> bool:
        """Whether the page is right in this epoch, which `current` has given; it is noted if it is."""
        if entry.epoch == epoch:
            return True
        if entry.epoch > epoch or self._changes.has_changed(entry.tags, since=entry.epoch):
            return False
        entry.epoch = epoch
        return True

    def close(self) -> None:
        """This thread's connection to Redis; another request makes a new one."""
        self._redis.close()

    def _look(self, asked_at: float, shown: int | None) -> int:
        with self._lock:
            if self._looked_at < asked_at:
                looked_at = time.monotonic()
                connection.close_if_unusable_or_obsolete()
                self._changes.learn()
                self._looked_at = looked_at
            epoch = self._changes.epoch
        if shown != epoch and asked_at - self._put_at > page_changes.SECONDS_BETWEEN_LOOKS:
            self._put_at = asked_at
            page_epoch.put(epoch)
        return epoch
