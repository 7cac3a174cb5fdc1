"""Doing what stored events ask for: the rows are the queue, and a task or the clock only says "look".

Most events change no reader's rows, so hundreds of them share a transaction; each of the others has
one of its own, in which its effects and its own row are written together. Whoever dies in
the middle has done nothing, and the rows are still due. An event whose copy is not known yet, or is
still on its way, is looked at again after ever longer times, for a day.
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
# A task gives its place to others after this long, and comes back; the clock has more to do than this.
TASK_SECONDS: Final = 20.0
# An issue is closed this much later at most because its readers' refusals are acted on first.
REFUSALS_SECONDS: Final = 5.0
# One process works on events at a time, over all hosts: a flood of reports never takes every worker.
SETTLE_LOCK: Final = "settle events"
# A hint stands for everything that its process stores in this time.
HINT_SECONDS: Final = 1.0

Told = tuple[DeliveryEvent, Effect]

WRITE = """
UPDATE digests_deliveryevent AS event
SET issue_id = told.issue_id, delivery_uuid = told.delivery_uuid,
    remote_id = told.remote_id, due_at = told.due_at,
    settled_at = CASE WHEN told.settled THEN %(now)s::timestamptz END,
    address_hash = CASE WHEN told.settled THEN '' ELSE event.address_hash END
FROM jsonb_to_recordset(%(told)s::jsonb) AS told
    (id bigint, issue_id bigint, delivery_uuid uuid, remote_id text, due_at timestamptz,
    settled bool)
WHERE event.id = told.id
"""


def record(*, event: events.TrackingEvent, provider: str, now: datetime) -> DeliveryEvent | None:
    """Store one event and act on it at once, for sources from which few come.

    After: the row, settled or parked; None when the same event was stored before, when its kind is of
    no concern, or when it may not be kept. On failure as `events.store`; once the event is stored,
    nothing is raised: what could not be done now is due.
    """
    stored = events.store(events=[event], provider=provider, now=now)
    if not stored:
        return None
    _settle_alone(stored[0], now)
    return DeliveryEvent.objects.filter(pk=stored[0]).first()


def settle(*, now: datetime, seconds: float = TASK_SECONDS) -> int | None:
    """Act on the events that are due, for at most about so many seconds; returns how many are settled.

    None when somebody else is at it. Harmless when late or doubled. A database that is away raises,
    and what was under way is still due.
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
    """Act on what our own wire was told of an issue whose last copy has its result, before the issue is closed.

    What takes longer is due at once, and a worker goes on.
    """
    waiting = refusals.open_events(issue_id=issue_id)
    if not waiting.exists() or Delivery.objects.under_way().filter(issue_id=issue_id, state__in=Delivery.OPEN).exists():
        return
    refusals.count_anew(issue_id=issue_id)
    end = time.monotonic() + REFUSALS_SECONDS
    for pk in list(waiting.order_by("pk").values_list("pk", flat=True)):
        if time.monotonic() > end:
            waiting.update(due_at=now)
            hint()
            break
        _settle_alone(pk, now)


@shared_task
def settle_events() -> None:
    """Act on whatever is due, until nothing is; after TASK_SECONDS others have their turn first."""
    end = time.monotonic() + TASK_SECONDS
    # Looked at again after the lock is given back: whoever could not have it relies on that.
    while _due(timezone.now()).exists():
        if not settle(now=timezone.now(), seconds=end - time.monotonic()):
            return
        if time.monotonic() > end:
            settle_events.delay_on_commit()  # type: ignore[attr-defined]  # celery-types does not know Celery's Django task
            return


class _Bell:
    """Calls a worker, at most once in HINT_SECONDS and by one thread at a time.

    The task waits as long, so that it comes after everything that went by without a call of its own.
    """

    def __init__(self) -> None:
        self._free, self._rung = threading.Lock(), float("-inf")

    def ring(self) -> None:
        """Have a worker look soon. A broker that is away is borne: the clock looks every minute."""
        if self._free.acquire(blocking=False):
            try:
                if time.monotonic() >= self._rung + HINT_SECONDS:
                    self._rung = time.monotonic()
                    settle_events.hint_in(HINT_SECONDS)  # type: ignore[attr-defined]  # of newsroom.celery's tasks
            finally:
                self._free.release()


hint = _Bell().ring


# --- One batch, one event --------------------------------------------------------------------


def _due(now: datetime) -> QuerySet[DeliveryEvent]:
    return DeliveryEvent.objects.filter(settled_at__isnull=True, due_at__lte=now)


def _settle_batch(now: datetime) -> tuple[int, int]:
    """How many events were taken, and how many of them are settled."""
    with transaction.atomic():
        rows = list(_due(now).select_for_update(skip_locked=True).order_by("due_at")[:BATCH])
        loud, settled = rows, 0
        try:
            with transaction.atomic():
                loud, settled = _settle_quiet(rows, now)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("%s events could not be settled together", len(rows))
        # Whatever happens to them now, they do not stand in the way of the others.
        DeliveryEvent.objects.filter(pk__in=[row.pk for row in loud]).update(due_at=now + SOONEST)
    return len(rows), settled + sum(_settle_alone(row.pk, now) for row in loud)


def _settle_quiet(rows: Sequence[DeliveryEvent], now: datetime) -> tuple[list[DeliveryEvent], int]:
    """Settle those that change no reader's rows; returns the others, and how many are settled."""
    matches = correlation.find(rows)
    loud = [row for row in rows if row.pk in matches.letters]
    loud += [row for row in rows if row.pk in matches.copies and not handlers.is_quiet(row, matches.copies[row.pk])]
    loud += [row for row in rows if not matches.knows(row) and handlers.is_about_reader(row) and _is_over(row, now)]
    others = {row.pk for row in loud}
    return loud, _act([row for row in rows if row.pk not in others], matches, now)


def _settle_alone(pk: int, now: datetime) -> int:
    """1 when this event is settled now; one that breaks is logged, stays due and never stops the others."""
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


def _act(rows: Sequence[DeliveryEvent], found: correlation.Found, now: datetime) -> int:
    """Do what the events ask for and keep what became of them, in the caller's transaction; how many are settled."""
    issues = _lock_issues(found.copies.values())
    # In the order of their copies, as whoever settles many of an issue's copies takes them.
    in_order = sorted(rows, key=lambda row: found.copies[row.pk].pk if row.pk in found.copies else 0)
    told = [(row, _follow(row, found, now)) for row in in_order]
    settled = _write(told, now)
    for issue_id in issues:
        handlers.lift_exceptions(issue_id)
    return settled


def _lock_issues(copies: Iterable[Delivery]) -> list[int]:
    """Hold the issues of which a copy may change; an issue comes before readers and copies, as in the engine."""
    issue_ids = {copy.issue_id for copy in copies if handlers.may_change(copy)}
    if not issue_ids:
        return []
    locked = Issue.objects.select_for_update(no_key=True).filter(pk__in=issue_ids)
    return list(locked.order_by("pk").values_list("pk", flat=True))


def _follow(row: DeliveryEvent, found: correlation.Found, now: datetime) -> Effect:
    """What becomes of the event. Of a copy that is not there it is known in the end that it does not come."""
    effect = Effect.WAITING
    if row.pk in found.copies:
        effect = handlers.follow(row, found.copies[row.pk], now)
    elif row.pk in found.letters:
        effect = handlers.follow_letter(row, found.letters[row.pk], now)
    if effect is not Effect.WAITING or not _is_over(row, now):
        return effect
    if not found.knows(row) and handlers.is_about_reader(row):
        handlers.follow_address(row, now)
    log.warning("event %s waited a day for its copy", row.pk)
    return Effect.FORGOTTEN if row.kind in handlers.PERSONAL else Effect.SETTLED


def _is_over(row: DeliveryEvent, now: datetime) -> bool:
    return now >= row.received_at + PARKED_FOR


def _write(told: Sequence[Told], now: datetime) -> int:
    """Keep what became of these events; returns how many of them need nobody any more."""
    forgotten = [row.pk for row, effect in told if effect is Effect.FORGOTTEN]
    kept = [_result(row, effect, now) for row, effect in told if effect is not Effect.FORGOTTEN]
    settled = [row for row, effect in told if effect is Effect.SETTLED]
    if forgotten:
        DeliveryEvent.objects.filter(pk__in=forgotten).delete()
    if kept:
        with connection.cursor() as cursor:
            cursor.execute(WRITE, {"told": json.dumps(kept, default=str), "now": now})
    issue_outcomes.add_events(Counter((row.issue_id, row.kind) for row in settled if row.issue_id is not None))
    return len(forgotten) + len(settled)


def _result(row: DeliveryEvent, effect: Effect, now: datetime) -> dict[str, object]:
    """One event as WRITE reads it."""
    return {
        "id": row.pk,
        "issue_id": row.issue_id,
        "delivery_uuid": row.delivery_uuid,
        "remote_id": row.remote_id,
        "due_at": _next_look(row, now),
        "settled": effect is Effect.SETTLED,
    }


def _next_look(row: DeliveryEvent, now: datetime) -> datetime:
    """After half as long as it has waited: soon at first, seldom at last, and once when its day is over."""
    following = now + min((now - row.received_at) / 2, LATEST)
    return max(min(following, row.received_at + PARKED_FOR), now + SOONEST)
