"""Process stored events. The rows are the queue; a task or the tick is only a wake-up.

Most events change no reader's rows, so hundreds of them share a transaction. Each of the others has its own, in
which its effects and its own row are written together. If a process dies in the middle, nothing has happened and
the rows are still due. An event whose copy is not known yet, or is still being sent, is retried with growing
delays for a day.
"""

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from celery import shared_task
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from core import locks
from digests import issue_outcomes, refusals
from digests.feedback import correlation, events, handlers
from digests.feedback.handlers import Effect
from digests.models import Delivery, DeliveryEvent, Issue

log = logging.getLogger(__name__)

BATCH: Final = 500
PARKED_FOR: Final = timedelta(hours=24)
SOONEST, LATEST = timedelta(minutes=1), timedelta(hours=1)
# A task ends after this time and queues itself again, so that others get a turn.
TASK_SECONDS: Final = 20.0
# Closing an issue is delayed by at most this much, while its readers' refusals are processed.
REFUSALS_SECONDS: Final = 5.0
# One process at a time, over all hosts, so that a flood of reports never occupies every worker.
SETTLE_LOCK: Final = "settle events"
# One wake-up covers all events that a process stores in this time.
WAKE_UP_SECONDS: Final = 1.0

Handled = tuple[DeliveryEvent, Effect]

WRITE = """
UPDATE digests_deliveryevent AS event
SET issue_id = result.issue_id, delivery_uuid = result.delivery_uuid,
    remote_id = result.remote_id, due_at = result.due_at,
    settled_at = CASE WHEN result.settled THEN %(now)s::timestamptz END,
    address_hash = CASE WHEN result.settled THEN '' ELSE event.address_hash END
FROM jsonb_to_recordset(%(results)s::jsonb) AS result
    (id bigint, issue_id bigint, delivery_uuid uuid, remote_id text, due_at timestamptz,
    settled bool)
WHERE event.id = result.id
"""


def record(*, event: events.TrackingEvent, provider: str, now: datetime) -> DeliveryEvent | None:
    """Store one event and process it at once, for sources with few events.

    After: the row, settled or parked; None if the same event was stored before, if its kind is irrelevant, or if
    it must not be stored. On failure as `events.store`. Once the event is stored nothing is raised: if it cannot
    be processed now, it is due.
    """
    stored = events.store(events=[event], provider=provider, now=now)
    if not stored:
        return None
    _settle_alone(stored[0], now)
    return DeliveryEvent.objects.filter(pk=stored[0]).first()


def settle(*, now: datetime, seconds: float = TASK_SECONDS) -> int | None:
    """Process the events that are due, for about `seconds` at most; returns how many were settled.

    None if another process does so. A late or repeated call is harmless. If the database is away it raises, and
    unfinished events are still due.
    """
    settled, end = 0, time.monotonic() + seconds
    with locks.advisory_lock(SETTLE_LOCK) as alone:
        while alone:
            taken, done = _settle_batch(now)
            settled += done
            if taken < BATCH or time.monotonic() > end:
                break
    return settled if alone else None


def settle_refusals(*, issue_id: int, now: datetime) -> None:
    """Process the SMTP refusals of an issue whose last copy has its outcome, before the issue is closed.

    After REFUSALS_SECONDS the rest is left to a worker.
    """
    waiting = refusals.open_events(issue_id=issue_id)
    if not waiting.exists() or Delivery.objects.under_way().filter(issue_id=issue_id, state__in=Delivery.OPEN).exists():
        return
    refusals.forget_counts(issue_id=issue_id)
    end = time.monotonic() + REFUSALS_SECONDS
    for pk in list(waiting.order_by("pk").values_list("pk", flat=True)):
        if time.monotonic() > end:
            waiting.update(due_at=now)
            wake_up()
            break
        _settle_alone(pk, now)


@shared_task
def settle_events() -> None:
    """Process due events until none is left. After TASK_SECONDS other tasks get a turn first."""
    end = time.monotonic() + TASK_SECONDS
    # Checked again after the lock is released: a task that did not get the lock relies on this one.
    while _due(timezone.now()).exists():
        if not settle(now=timezone.now(), seconds=end - time.monotonic()):
            return
        if time.monotonic() > end:
            settle_events.delay_on_commit()  # type: ignore[attr-defined]  # celery-types does not know Celery's Django task
            return


class _WakeUp:
    """Wakes a worker, at most once in WAKE_UP_SECONDS and by one thread at a time.

    The task is delayed as long, so that it runs after the events that queued no task of their own.
    """

    def __init__(self) -> None:
        self._lock, self._queued_at = threading.Lock(), float("-inf")

    def send(self) -> None:
        """Wake a worker soon. If the broker is away, the tick processes the events within a minute."""
        if self._lock.acquire(blocking=False):
            try:
                if time.monotonic() >= self._queued_at + WAKE_UP_SECONDS:
                    self._queued_at = time.monotonic()
                    settle_events.hint_in(WAKE_UP_SECONDS)  # type: ignore[attr-defined]  # of newsroom.celery's tasks
            finally:
                self._lock.release()


wake_up = _WakeUp().send


# --- One batch, one event --------------------------------------------------------------------


def _due(now: datetime) -> QuerySet[DeliveryEvent]:
    return DeliveryEvent.objects.filter(settled_at__isnull=True, due_at__lte=now)


def _settle_batch(now: datetime) -> tuple[int, int]:
    """The number of events taken, and the number of them settled."""
    with transaction.atomic():
        rows = list(_due(now).select_for_update(skip_locked=True).order_by("due_at")[:BATCH])
        remaining, settled = rows, 0
        try:
            with transaction.atomic():
                remaining, settled = _settle_quiet(rows, now)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("%s events could not be settled together", len(rows))
        # Whatever happens to these now, they do not block the others.
        DeliveryEvent.objects.filter(pk__in=[row.pk for row in remaining]).update(due_at=now + SOONEST)
    return len(rows), settled + sum(_settle_alone(row.pk, now) for row in remaining)


def _settle_quiet(rows: Sequence[DeliveryEvent], now: datetime) -> tuple[list[DeliveryEvent], int]:
    """Settle events that change no reader's rows; returns the other events, and how many were settled."""
    matches = correlation.find(rows)
    remaining = [row for row in rows if row.pk in matches.letters]
    remaining += [
        row for row in rows if row.pk in matches.copies and not handlers.is_quiet(row, matches.copies[row.pk])
    ]
    remaining += [
        row for row in rows if not matches.knows(row) and handlers.is_about_reader(row) and _is_over(row, now)
    ]
    others = {row.pk for row in remaining}
    return remaining, _act([row for row in rows if row.pk not in others], matches, now)


def _settle_alone(pk: int, now: datetime) -> int:
    """Settle one event; returns 1 if it was settled. One that fails is logged, stays due and stops no other."""
    try:
        with transaction.atomic():
            waiting = DeliveryEvent.objects.select_for_update(skip_locked=True)
            rows = list(waiting.filter(pk=pk, settled_at__isnull=True))
            matches = correlation.find(rows)
            return _act(rows, matches, now)
    except Exception:
        if not connection.is_usable():
            raise
        log.exception("event %s could not be settled", pk)
        return 0


def _act(rows: Sequence[DeliveryEvent], matches: correlation.Matches, now: datetime) -> int:
    """Apply the events and store the results, in the caller's transaction; returns how many were settled."""
    issues = _lock_issues(matches.copies.values())
    # In the order of their copies: the lock order of everything that settles an issue's copies.
    in_order = sorted(rows, key=lambda row: matches.copies[row.pk].pk if row.pk in matches.copies else 0)
    handled = [(row, _follow(row, matches, now)) for row in in_order]
    settled = _write(handled, now)
    for issue_id in issues:
        issue_outcomes.lift_exceptions(issue_id=issue_id)
    return settled


def _lock_issues(copies: Iterable[Delivery]) -> list[int]:
    """Lock the issues of which a copy may change. An issue is locked before readers and copies, as in the engine."""
    issue_ids = {copy.issue_id for copy in copies if handlers.may_change(copy)}
    if not issue_ids:
        return []
    locked = Issue.objects.select_for_update(no_key=True).filter(pk__in=issue_ids)
    return list(locked.order_by("pk").values_list("pk", flat=True))


def _follow(row: DeliveryEvent, matches: correlation.Matches, now: datetime) -> Effect:
    """The result for one event. An event without a copy is given up after a day."""
    effect = Effect.WAITING
    if row.pk in matches.copies:
        effect = handlers.follow(row, matches.copies[row.pk], now)
    elif row.pk in matches.letters:
        effect = handlers.follow_letter(row, matches.letters[row.pk], now)
    if effect is not Effect.WAITING or not _is_over(row, now):
        return effect
    if not matches.knows(row) and handlers.is_about_reader(row):
        handlers.follow_address(row, now)
    log.warning("event %s waited a day for its copy", row.pk)
    return Effect.FORGOTTEN if row.kind in handlers.PERSONAL else Effect.SETTLED


def _is_over(row: DeliveryEvent, now: datetime) -> bool:
    return now >= row.received_at + PARKED_FOR


def _write(handled: Sequence[Handled], now: datetime) -> int:
    """Store the results of these events; returns how many of them are done."""
    forgotten = [row.pk for row, effect in handled if effect is Effect.FORGOTTEN]
    results = [_result(row, effect, now) for row, effect in handled if effect is not Effect.FORGOTTEN]
    settled = [row for row, effect in handled if effect is Effect.SETTLED]
    if forgotten:
        DeliveryEvent.objects.filter(pk__in=forgotten).delete()
    if results:
        with connection.cursor() as cursor:
            cursor.execute(WRITE, {"results": json.dumps(results, default=str), "now": now})
    issue_outcomes.add_events(Counter((row.issue_id, row.kind) for row in settled if row.issue_id is not None))
    return len(forgotten) + len(settled)


def _result(row: DeliveryEvent, effect: Effect, now: datetime) -> dict[str, object]:
    """One event as WRITE reads it."""
    return {
        "id": row.pk,
        "issue_id": row.issue_id,
        "delivery_uuid": row.delivery_uuid,
        "remote_id": row.remote_id,
        "due_at": _next_try(row, now),
        "settled": effect is Effect.SETTLED,
    }


def _next_try(row: DeliveryEvent, now: datetime) -> datetime:
    """Retry after half of its age: soon at first, rarely later, and once at the end of its day."""
    following = now + min((now - row.received_at) / 2, LATEST)
    return max(min(following, row.received_at + PARKED_FOR), now + SOONEST)
