"""A lane: claim copies, record their attempts, hand them over, settle them; for a minute."""

from __future__ import annotations

import contextlib
import enum
import logging
import time
from collections.abc import Sequence
from typing import Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from core import locks
from core.reasons import Reason
from digests import issue_reasons, refusals
from digests.issue_reasons import IssueReason
from digests.models import Issue
from digests.sending import attempts, breaker, claims, closing, draining, in_flight, merge, send_journal
from digests.sending.pacing import domains, rate_limits
from postal import leases, limiter, transports
from postal.transports.base import Copy, Transport, nobody_answered
from subscribers import noes_replay

log = logging.getLogger(__name__)

# However quiet it is, a lane looks at its leases so often.
POLL_SECONDS: Final = 1.0
# While copies are on the wire, no lane waits longer than this for the database: it writes the results at its end.
SETTLE_ON_THE_WAY_SECONDS: Final = 2.0
# A lane whose results cannot be written tries until its task is this near to its time limit.
SPARE_SECONDS: Final = 10.0
# A lane with copies on the wire that got no grant for more of them asks again so much later.
ASK_AGAIN_SECONDS: Final = 0.1
# A copy that is due within this time is not left to the sweeper.
LONGEST_LOOK_SECONDS: Final = 60.0


class Ending(enum.Enum):
    """Why a lane ended, which says whether another is wanted at once."""

    BUSY = "another task runs this lane"
    IDLE = "nothing to claim now"
    TIME = "its minute is over"
    STOPPED = "the issue is not being sent, or the worker stops"
    AWAY = "the server cannot be reached"
    ASLEEP = "its process slept for longer than a lease"
    UNHELD = "the database was away, and the lane's lock went with the connection"
    PACED = "nothing may leave within the next seconds"


# How long a lane that ended so leaves its process to others.
LOOK_AGAIN_SECONDS: Final = {Ending.AWAY: rate_limits.PROBE_SECONDS, Ending.PACED: 10.0}


def run(*, issue_id: int, lane: int) -> Ending:
    """Send copies of the issue until there is nothing to claim, or LANE_SECONDS are over.

    At most COPIES_IN_FLIGHT copies are attempted and not yet settled. Two tasks for one lane never
    run at the same time: the second finds the lane held and ends.
    """
    with locks.advisory_lock(f"lane {issue_id} {lane}", asleep_after=settings.SENDING.lease_seconds) as held:
        if not held:
            return Ending.BUSY
        issue = Issue.objects.under_way().select_related("newsletter", "snapshot").filter(pk=issue_id).first()
        if issue is None or send_journal.is_behind(issue_id=issue_id) or not noes_replay.is_done(now=timezone.now()):
            return Ending.STOPPED
        lease = leases.Lease()
        journal = send_journal.Journal(issue_id=issue_id, lane=lane)
        with contextlib.closing(transports.for_settings(lease=lease)) as transport:
            merger = merge.Merger(issue, needs=transport.needs)
            ending = _Lane(issue, transport, in_flight.Flight(merger=merger, journal=journal, lease=lease)).run()
    closing.close(issue_id=issue_id, now=timezone.now())
    return ending


def look_again_in(*, issue_id: int, lane: int, ending: Ending) -> float | None:
    """In how many seconds a lane that ended so is to be run again; None: the sweeper finds it within a minute.

    Only one caller per lane gets a number: a lane that is queued both by itself and by the sweeper would otherwise
    be queued more and more often.
    """
    seconds: float | None = LOOK_AGAIN_SECONDS.get(ending)
    if ending is Ending.IDLE:
        turn = domains.next_turn(issue_id=issue_id)
        seconds = None if turn is None or turn > LONGEST_LOOK_SECONDS else max(1.0, turn)
    if seconds is None or not limiter.shared().once(name=f"look:{issue_id}:{lane}", seconds=seconds):
        return None
    return seconds


class _Lane:
    """One run: it renews leases, collects results, settles them, claims, records attempts, submits; and again."""

    def __init__(self, issue: Issue, transport: Transport, flight: in_flight.Flight) -> None:
        self.issue = issue
        self.transport = transport
        self.flight = flight
        self.breaker = breaker.Breaker()
        self.tripped: Reason | None = None
        self.is_paused = False
        self.rate_limiter = rate_limits.RateLimiter(issue, transport)
        began_at = time.monotonic()
        self.turn_ends_at = began_at + settings.SENDING.lane_seconds
        self.task_ends_at = began_at + settings.CELERY_TASK_SOFT_TIME_LIMIT - SPARE_SECONDS
        self.after = issue.copies_after
        self.wants_at = 0.0
        self.ending: Ending | None = None
        self.is_away = False

    def run(self) -> Ending:
        try:
            while self.ending is None or self.flight.unanswered:
                self._collect()
                self._work()
        finally:
            # Whatever ended the loop: what is known of a copy goes on record.
            self._settle()
        return self.ending

    def _collect(self) -> None:
        """Wait for results; a second at most, for the leases have to be kept."""
        results = self.transport.results(POLL_SECONDS)
        self.tripped = self.breaker.watch(results) or self.tripped
        self.flight.results += results

    def _work(self) -> None:
        """Between two looks at the transport: keep the leases, write results, and submit the next copies.

        A database that goes away ends the lane, but not before what is on the wire was answered: from then on
        the lane only keeps its leases, as far as it can, and writes its results at the end.
        """
        try:
            # A lease that is over is not renewed, though nobody may have missed it.
            if self._is_held():
                self.flight.renew()
            if self._is_held() and not self.is_away:
                self._refill()
        except (DatabaseError, InterfaceError) as error:
            if not self.flight.unanswered:
                raise
            log.warning("the database failed while copies were on the wire (%s)", type(error).__name__)
            if not self.is_away:
                self.flight.doubt()
            self.is_away = True
            self.ending = Ending.UNHELD
            connection.close()

    def _is_held(self) -> bool:
        """Whether what is on the wire is still ours; once it may not be, the lane is to end."""
        if not self.flight.unanswered or self.flight.lease.is_held:
            return True
        self.ending = self.ending or Ending.ASLEEP
        return False

    def _refill(self) -> None:
        """Write the results when they give room, or have waited, and put the next copies behind those on the wire."""
        is_idle = not self.flight.unanswered
        is_wanted = self.flight.has_room and time.monotonic() >= self.wants_at and self.transport.ready() > 0
        if is_idle or is_wanted or self.flight.is_overdue:
            self._settle()
        if is_idle or is_wanted:
            wanted = min(self.flight.room, self.transport.ready())
            copies = self._take(wanted, patience=rate_limits.PATIENCE_SECONDS if is_idle else 0)
            if copies:
                self.transport.submit(copies)

    def _take(self, wanted: int, *, patience: float) -> Sequence[Copy]:
        """Up to `wanted` copies whose attempt is on record; none when the lane is to end, which `ending` says."""
        self.ending = self.ending or self._end_of_turn()
        if self.ending is not None:
            return ()
        try:
            batch = self._claim(wanted, patience)
        except rate_limits.NoGrant as refusal:
            self.wants_at = time.monotonic() + ASK_AGAIN_SECONDS
            ending = Ending.AWAY if isinstance(refusal, rate_limits.NoServer) else Ending.PACED
            self.ending = ending if patience else None
            return ()
        if batch is None:
            self.ending = Ending.IDLE
            return ()
        if not batch.ids:
            self.wants_at = time.monotonic() + ASK_AGAIN_SECONDS
            return ()
        return self._record(batch)

    def _end_of_turn(self) -> Ending | None:
        if draining.asked():
            return Ending.STOPPED
        if not self.flight.is_locked:
            return Ending.UNHELD
        return Ending.TIME if time.monotonic() >= self.turn_ends_at else None

    def _claim(self, wanted: int, patience: float) -> claims.Batch | None:
        """The next rows after this lane's place that may leave now; at the end, once more from the beginning.

        The grant comes first, so that nothing waits for it in a row.
        """
        grant = self.rate_limiter.grant(wanted=wanted, patience=patience)
        batch = claims.claim(issue_id=self.issue.pk, after=self.after, limit=grant.count)
        if batch is None and self.after > self.issue.copies_after:
            self.after = self.issue.copies_after
            batch = claims.claim(issue_id=self.issue.pk, after=self.after, limit=grant.count)
        if batch is not None:
            self.after = max(self.after, batch.last_id)
        return self.rate_limiter.admit(batch=batch, grant=grant)

    def _record(self, batch: claims.Batch) -> Sequence[Copy]:
        """The copies of the batch that may leave. An issue that must not go on ends the lane."""
        try:
            copies = self.flight.record(batch)
        except attempts.StoryWithdrawn as story:
            self._stop_for(story, batch)
            self.ending = Ending.STOPPED
            return ()
        if not copies and not Issue.objects.under_way().filter(pk=self.issue.pk).exists():
            self.ending = Ending.STOPPED
        return copies

    def _settle(self) -> None:
        """Write what became of the copies that were answered, and act on it.

        While copies are on the wire nobody waits for a database that is away; afterwards the lane tries until its
        task has to end.
        """
        if not self.flight.results:
            # The database may have gone away between the results and the pause.
            self._pause_if_tripped()
            return
        rest = max(SETTLE_ON_THE_WAY_SECONDS, self.task_ends_at - time.monotonic())
        patience = SETTLE_ON_THE_WAY_SECONDS if self.flight.unanswered else rest
        copies, results = self.flight.settle(tripped=self.tripped is not None, patience=patience)
        # What it learns for the next batch comes after the rows, so that it never keeps an outcome from its row.
        self.rate_limiter.learn(copies=copies, results=results)
        if self.tripped:
            self._pause_if_tripped()
        elif all(result.unreachable for result in results) or nobody_answered(results):
            self.ending = self.ending or Ending.AWAY

    def _pause_if_tripped(self) -> None:
        if not self.tripped or self.is_paused:
            return
        log.warning("issue %s was paused by the breaker", self.issue.pk)
        refusals.doubt(issue_id=self.issue.pk)
        Issue.objects.under_way().filter(pk=self.issue.pk).update(
            state=Issue.State.PAUSED, **issue_reasons.columns(self.tripped)
        )
        self.is_paused = True
        self.ending = Ending.STOPPED

    def _stop_for(self, story: attempts.StoryWithdrawn, batch: claims.Batch) -> None:
        claims.release(batch=batch)
        Issue.objects.under_way().filter(pk=self.issue.pk).update(
            state=Issue.State.CANCELLED,
            **issue_reasons.columns(Reason(IssueReason.STORY_WITHDRAWN_LATE, {"story": str(story)})),
        )
        closing.sweep_cancelled(issue_id=self.issue.pk)
