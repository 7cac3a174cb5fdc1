"""A lane: claim copies, record their attempts, hand them over, settle them; for a minute."""

from __future__ import annotations

import contextlib
import enum
import logging
import time
from collections.abc import Iterator, Sequence
from typing import Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from core import locks
from core.reasons import Reason
from digests import issue_reasons, refusals
from digests.issue_reasons import IssueReason
from digests.models import Issue
from digests.sending import attempts, breaker, claims, closing, draining, leases, merge, outcomes, send_journal, stages
from digests.sending.pacing import domains, rate_limits
from postal import limiter, transports
from postal.transports.base import Copy, Outcome, Transport, nobody_answered

log = logging.getLogger(__name__)

# Results are written when there is room for the next copies, and no later than this.
SETTLE_AFTER_SECONDS: Final = 1.0
# While copies are on the wire, no lane waits longer than this for the database: `deferred_results` writes the results.
SETTLE_ON_THE_WAY_SECONDS: Final = 2.0
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
    lease = settings.SENDING.lease_seconds
    with locks.advisory_lock(f"lane {issue_id} {lane}", asleep_after=lease) as held:
        if not held:
            return Ending.BUSY
        issue = Issue.objects.under_way().select_related("newsletter", "snapshot").filter(pk=issue_id).first()
        if issue is None or send_journal.is_behind(issue_id=issue_id):
            return Ending.STOPPED
        with contextlib.closing(transports.for_settings()) as transport:
            ending = _Lane(issue, transport, send_journal.Journal(issue_id=issue_id, lane=lane)).run()
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
    """The state of one run: its place in the rows, what is in flight, its breaker, its hour.

    The transport asks for `_more` while it works, so the next copies are claimed, recorded and put
    behind those on the wire, and results are written, without a session having to wait.
    """

    def __init__(self, issue: Issue, transport: Transport, seen: send_journal.Journal) -> None:
        self.issue = issue
        self.transport = transport
        self.seen = seen
        self.merger = merge.Merger(issue, needs=transport.needs)
        self.breaker = breaker.Breaker()
        self.rate_limiter = rate_limits.RateLimiter(issue, transport)
        self.bound = settings.SENDING.copies_in_flight
        self.lease = settings.SENDING.lease_seconds
        self.ends_at = time.monotonic() + settings.SENDING.lane_seconds
        self.after = issue.copies_after
        self.session = connection.connection
        self.ending: Ending | None = None
        self.is_away = False
        self.in_flight: dict[int, tuple[claims.Batch, Copy]] = {}
        self.results: list[Outcome] = []
        self.settled_at = self.renewed_at = self.wants_at = time.monotonic()
        # By `leases.clock`: until then nobody else can have what is in flight.
        self.held_until = 0.0

    def run(self) -> Ending:
        while self.ending is None:
            copies = self._take(self.bound, patience=rate_limits.PATIENCE_SECONDS)
            try:
                for result in self._hand_over(copies) if copies else ():
                    self.results.append(result)
                    stages.reached("answered")
            finally:
                # Whatever ended the hand-over: what is known of a copy goes on record.
                self._settle()
                self.in_flight.clear()
        return self.ending

    def _hand_over(self, copies: Sequence[Copy]) -> Iterator[Outcome]:
        return self.transport.hand_over(copies, more=self._more, is_held=self._is_held)

    def _is_held(self) -> bool:
        """Whether what is in flight is still ours; once it may not be, the lane is to end."""
        if leases.clock() < self.held_until:
            return True
        self.ending = self.ending or Ending.ASLEEP
        return False

    def _more(self) -> Sequence[Copy]:
        """Between two events on the wire: write results, keep the leases, and fill up what is in flight.

        A database that goes away here ends the lane, but not before what is on the wire was answered:
        from then on the lane only keeps its leases, as far as it can, and writes its results at the end.
        """
        now = time.monotonic()
        try:
            self._keep_leases(now)
            return () if self.is_away or not self._is_held() else self._refill(now)
        except (DatabaseError, InterfaceError) as error:
            log.warning("the database failed while copies were on the wire (%s)", type(error).__name__)
            if not self.is_away:
                self._look_at_leases()
            self.is_away = True
            self.ending = Ending.UNHELD
            connection.close()
            return ()

    def _keep_leases(self, now: float) -> None:
        if now > self.renewed_at + self.lease / 3:
            self.renewed_at = now
            began = leases.clock()
            batches = {batch.fence: batch for batch, _ in self.in_flight.values()}
            held = attempts.renew(batches=batches.values(), lease_seconds=self.lease)
            # A row that is no longer ours: the lease was over by the database's clock, whatever ours says.
            self.held_until = began + self.lease if held >= len(self.in_flight) else 0.0

    def _look_at_leases(self) -> None:
        """Ask at once whether our rows are still ours: the machine may have been paused without our notice."""
        self.renewed_at = float("-inf")

    def _refill(self, now: float) -> Sequence[Copy]:
        room = self.bound - len(self.in_flight) + len(self.results)
        has_room = room >= max(1, self.bound // 4) and now >= self.wants_at
        if self.results and (has_room or now > self.settled_at + SETTLE_AFTER_SECONDS):
            self._settle(patience=SETTLE_ON_THE_WAY_SECONDS)
        return self._take(room, patience=0) if has_room else ()

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
        stages.reached("claimed")
        if not batch.ids:
            self.wants_at = time.monotonic() + ASK_AGAIN_SECONDS
            return ()
        return self._record(batch)

    def _end_of_turn(self) -> Ending | None:
        if draining.asked():
            return Ending.STOPPED
        if connection.connection is not self.session:
            return Ending.UNHELD
        return Ending.TIME if time.monotonic() >= self.ends_at else None

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
        if not self.in_flight:
            self.renewed_at, self.held_until = time.monotonic(), leases.clock() + self.lease
        try:
            copies = attempts.record_attempts(batch=batch, merger=self.merger, lease_seconds=self.lease)
        except attempts.StoryWithdrawn as story:
            self._stop_for(story, batch)
            self.ending = Ending.STOPPED
            return ()
        if copies:
            self.seen.note(delivery_id=copies[-1].delivery_id, fence=batch.fence, highest=batch.last_id)
            stages.reached("intended")
        elif not Issue.objects.under_way().filter(pk=self.issue.pk).exists():
            self.ending = Ending.STOPPED
        self.in_flight |= {copy.delivery_id: (batch, copy) for copy in copies}
        return copies

    def _settle(self, *, patience: float | None = None) -> None:
        """Write what became of the copies that were answered."""
        results, self.results = self.results, []
        self.settled_at = time.monotonic()
        if not results:
            return
        tripped = self.breaker.watch(results)
        stages.reached("settling")
        settled = [self.in_flight.pop(result.delivery_id) for result in results]
        batches = {batch.fence: batch for batch, _ in settled}
        written = outcomes.settle(
            batches=batches.values(), outcomes=results, tripped=tripped is not None, patience=patience
        )
        if written < len(results) or connection.connection is not self.session:
            self._look_at_leases()
        stages.reached("settled")
        # What it learns for the next batch must never stand between an outcome and its row.
        self.rate_limiter.learn(copies=[copy for _, copy in settled], results=results)
        if tripped:
            self._pause(tripped)
            self.ending = Ending.STOPPED
        elif all(result.unreachable for result in results) or nobody_answered(results):
            self.ending = self.ending or Ending.AWAY

    def _pause(self, reason: Reason) -> None:
        log.warning("issue %s was paused by the breaker", self.issue.pk)
        refusals.doubt(issue_id=self.issue.pk)
        Issue.objects.under_way().filter(pk=self.issue.pk).update(
            state=Issue.State.PAUSED, **issue_reasons.columns(reason)
        )

    def _stop_for(self, story: attempts.StoryWithdrawn, batch: claims.Batch) -> None:
        claims.release(batch=batch)
        Issue.objects.under_way().filter(pk=self.issue.pk).update(
            state=Issue.State.CANCELLED,
            **issue_reasons.columns(Reason(IssueReason.STORY_WITHDRAWN_LATE, {"story": str(story)})),
        )
        closing.sweep_cancelled(issue_id=self.issue.pk)
