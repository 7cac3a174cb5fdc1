"""A lane: claim a batch, promise it, hand it over, settle it; again, for a minute at most."""

from __future__ import annotations

import contextlib
import enum
import hashlib
import logging
import time
from collections.abc import Iterator

from django.conf import settings
from django.db import connection
from django.utils import timezone

from digests.models import Issue
from digests.sending import breaker, claims, closing, draining, intents, merge, outcomes, stages, transports, witness
from digests.sending.pacing import gate
from digests.sending.transports.base import Transport

log = logging.getLogger(__name__)


class Ending(enum.Enum):
    """Why a lane ended, which says whether another is wanted at once."""

    BUSY = "another task runs this lane"
    IDLE = "nothing to claim now"
    TIME = "its minute is over"
    STOPPED = "the issue is not being sent, or the worker stops"
    AWAY = "the server cannot be reached"
    UNHELD = "the database was away, and the lane's lock went with the connection"
    PACED = "nothing may leave within the next seconds; the pump looks again"


def run(*, issue_id: int, lane: int) -> Ending:
    """Send copies of the issue until there is nothing to claim, or LANE_SECONDS are over.

    At most COPIES_IN_FLIGHT copies are in flight. Two tasks for one lane never run at the same
    time: the second finds the lane held and ends.
    """
    with _hold(issue_id, lane) as held:
        if not held:
            return Ending.BUSY
        issue = Issue.objects.under_way().select_related("newsletter", "snapshot").filter(pk=issue_id).first()
        if issue is None or witness.is_behind(issue_id=issue_id):
            return Ending.STOPPED
        with contextlib.closing(transports.for_settings()) as transport:
            ending = _Lane(issue, transport, witness.Witness(issue_id=issue_id, lane=lane)).run()
    closing.close(issue_id=issue_id, now=timezone.now())
    return ending


class _Lane:
    """The state of one run: its place in the rows, its breaker, its hour."""

    def __init__(self, issue: Issue, transport: Transport, seen: witness.Witness) -> None:
        self.issue = issue
        self.transport = transport
        self.seen = seen
        self.merger = merge.Merger(issue, needs=transport.needs)
        self.breaker = breaker.Breaker()
        self.gate = gate.Gate(issue, transport)
        self.ends_at = time.monotonic() + settings.SENDING["LANE_SECONDS"]
        self.after = issue.copies_after
        self.session = connection.connection

    def run(self) -> Ending:
        while time.monotonic() < self.ends_at:
            if draining.asked():
                return Ending.STOPPED
            try:
                batch = self._claim()
            except gate.NoPermit:
                return Ending.PACED
            if batch is None:
                return Ending.IDLE
            ending = self._send(batch)
            if ending is not None:
                return ending
            if connection.connection is not self.session:
                return Ending.UNHELD
        return Ending.TIME

    def _claim(self) -> claims.Batch | None:
        """The next rows after this lane's place that may leave now; at the end, once more from the beginning.

        The permit comes first, so that nothing waits for it in a row.
        """
        permit = self.gate.permit(wanted=settings.SENDING["COPIES_IN_FLIGHT"])
        batch = claims.claim(issue_id=self.issue.pk, after=self.after, limit=permit.count)
        if batch is None and self.after > self.issue.copies_after:
            self.after = self.issue.copies_after
            batch = claims.claim(issue_id=self.issue.pk, after=self.after, limit=permit.count)
        if batch is not None:
            self.after = max(self.after, batch.last_id)
        return self.gate.admit(batch=batch, permit=permit)

    def _send(self, batch: claims.Batch) -> Ending | None:
        stages.reached("claimed")
        if not batch.ids:
            return None
        if self._stop_for_withdrawn_story(batch):
            return Ending.STOPPED
        copies = intents.intend(batch=batch, merger=self.merger, lease_seconds=settings.SENDING["LEASE_SECONDS"])
        if not copies:
            return None if Issue.objects.under_way().filter(pk=self.issue.pk).exists() else Ending.STOPPED
        self.seen.note(delivery_id=copies[-1].delivery_id, fence=batch.fence, highest=batch.last_id)
        stages.reached("intended")
        results = []
        for result in self.transport.hand_over(copies):
            results.append(result)
            stages.reached("answered")
        tripped = self.breaker.watch(results)
        stages.reached("settling")
        outcomes.settle(batch=batch, outcomes=results, tripped=tripped is not None)
        stages.reached("settled")
        # What it learns for the next batch must never stand between an outcome and its row.
        self.gate.learn(copies=copies, results=results)
        if tripped:
            self._pause(tripped)
            return Ending.STOPPED
        return Ending.AWAY if all(result.unreachable for result in results) else None

    def _pause(self, reason: str) -> None:
        log.warning("issue %s was paused by the breaker", self.issue.pk)
        Issue.objects.under_way().filter(pk=self.issue.pk).update(state=Issue.State.PAUSED, state_reason=reason[:300])

    def _stop_for_withdrawn_story(self, batch: claims.Batch) -> bool:
        headline = intents.withdrawn_story(issue_id=self.issue.pk)
        if headline is None:
            return False
        claims.release(batch=batch)
        Issue.objects.under_way().filter(pk=self.issue.pk).update(
            state=Issue.State.CANCELLED,
            state_reason=f"“{headline}” was withdrawn while the issue was being sent."[:300],
        )
        closing.sweep_cancelled(issue_id=self.issue.pk)
        return True


@contextlib.contextmanager
def _hold(issue_id: int, lane: int) -> Iterator[bool]:
    """Hold the lane by a lock of this database session, which a killed process loses with its connection."""
    digest = hashlib.sha256(f"lane {issue_id} {lane}".encode()).digest()
    key = int.from_bytes(digest[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
