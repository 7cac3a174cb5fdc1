"""What a lane has attempted and not yet settled: the copies, their leases, and the results that are not written yet."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from django.conf import settings
from django.db import connection

from digests.sending import attempts, claims, merge, outcomes, send_journal
from postal import leases
from postal.transports.base import Copy, Outcome

# Results are written when there is room for the next copies, and no later than this.
SETTLE_AFTER_SECONDS: Final = 1.0
# So long the copies on the wire wait for a database that went away in the commit of the next ones.
IN_DOUBT_ON_THE_WIRE_SECONDS: Final = 10.0


class Flight:
    """At most COPIES_IN_FLIGHT copies. `lease` ends when another process may take them: the transport obeys it."""

    def __init__(self, *, merger: merge.Merger, journal: send_journal.Journal, lease: leases.Lease) -> None:
        self.lease = lease
        self.results: list[Outcome] = []
        self._merger = merger
        self._journal = journal
        self._bound = settings.SENDING.copies_in_flight
        self._lease_seconds = settings.SENDING.lease_seconds
        self._session = connection.connection
        self._copies: dict[int, tuple[claims.Batch, Copy]] = {}
        self._settled_at = self._renewed_at = time.monotonic()

    @property
    def unanswered(self) -> int:
        """How many copies are with the transport."""
        return len(self._copies) - len(self.results)

    @property
    def room(self) -> int:
        """How many further copies may be attempted once the results are written."""
        return self._bound - self.unanswered

    @property
    def has_room(self) -> bool:
        """Whether a claim is worth its round trips to the database."""
        return self.room >= max(1, self._bound // 4)

    @property
    def is_overdue(self) -> bool:
        """Whether results have waited long enough for others."""
        return bool(self.results) and time.monotonic() > self._settled_at + SETTLE_AFTER_SECONDS

    @property
    def is_locked(self) -> bool:
        """Whether the database session in which the lane's lock was taken is still there."""
        return connection.connection is self._session

    def record(self, batch: claims.Batch) -> list[Copy]:
        """Commit the attempts of a claimed batch, and return the copies that may leave now. See `attempts`."""
        if not self._copies:
            self._renewed_at, self.lease.until = time.monotonic(), leases.clock() + self._lease_seconds
        copies = attempts.record_attempts(
            batch=batch,
            merger=self._merger,
            lease_seconds=self._lease_seconds,
            patience=IN_DOUBT_ON_THE_WIRE_SECONDS if self.unanswered else None,
        )
        if copies:
            self._journal.note(delivery_id=copies[-1].delivery_id, fence=batch.fence, highest=batch.last_id)
        self._copies |= {copy.delivery_id: (batch, copy) for copy in copies}
        return copies

    def renew(self) -> None:
        """Extend the leases each time a third of them is over, and see whether the rows are still the lane's own."""
        now = time.monotonic()
        if not self.unanswered or now <= self._renewed_at + self._lease_seconds / 3:
            return
        self._renewed_at = now
        began = leases.clock()
        batches = {batch.fence: batch for batch, _ in self._copies.values()}
        held = attempts.renew(batches=batches.values(), lease_seconds=self._lease_seconds)
        # A row that is no longer ours: the lease was over by the database's clock, whatever ours says.
        self.lease.until = began + self._lease_seconds if held >= len(self._copies) else 0.0

    def doubt(self) -> None:
        """Have the next `renew` ask at once: the machine may have been paused unnoticed."""
        self._renewed_at = float("-inf")

    def settle(self, *, tripped: bool, patience: float) -> tuple[Sequence[Copy], Sequence[Outcome]]:
        """Write the results, and return them with their copies. On failure they are still here for the next call."""
        results = self.results
        answered = [self._copies[result.delivery_id] for result in results]
        batches = {batch.fence: batch for batch, _ in answered}
        written = outcomes.settle(batches=batches.values(), outcomes=results, tripped=tripped, patience=patience)
        self.results, self._settled_at = [], time.monotonic()
        for result in results:
            del self._copies[result.delivery_id]
        if written < len(results) or not self.is_locked:
            self.doubt()
        return [copy for _, copy in answered], results
