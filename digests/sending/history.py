"""What becomes of copies once their issue has ended: they move to the partition of a month, and years later they go.

The partition in which the engine works stays small that way, whatever was sent before. Nothing is looked for
differently: `Delivery` reads all partitions. decisions/0065 has the sizes.
"""

from __future__ import annotations

import calendar
import logging
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q, QuerySet

from core import locks
from digests import issue_outcomes
from digests.models import Delivery, DeliveryEvent, Issue

log = logging.getLogger(__name__)

# By then every result of a lane is written, however late, and most of what providers report.
MOVE_AFTER: Final = timedelta(hours=1)
# Rows of one transaction: an erasure may wait for it.
CHUNK: Final = 10_000
# The tick has more to do; the next one goes on.
SECONDS: Final = 20.0
# One process at a time, over all hosts.
HISTORY_LOCK: Final = "copies move"

# Readers first, as the engine and every act of a reader: an erasure waits for the move, or has taken its reader out.
HOLD_READERS = """
SELECT id FROM subscribers_subscriber WHERE id IN (
    SELECT subscriber_id FROM digests_delivery_open WHERE issue_id = %(issue)s AND id > %(after)s AND id <= %(until)s
) ORDER BY id FOR KEY SHARE
"""
# By an index, in the order of the copies: so the index of uuids is filled from one end, and its pages are full.
IN_ORDER = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"
# PostgreSQL moves a row to the partition of its month. One that a person has just sent again stays.
MOVE = """
UPDATE digests_delivery SET month = %(month)s
WHERE month IS NULL AND issue_id = %(issue)s AND id > %(after)s AND id <= %(until)s AND NOT (state = ANY(%(open)s))
"""
MONTHS = """
SELECT to_date(right(relname, 7), 'YYYY_MM') FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = 'digests_delivery'::regclass AND relname <> 'digests_delivery_open' ORDER BY relname
"""


def maintain(*, now: datetime, seconds: float = SECONDS) -> None:
    """Make the partitions of this month and the next, move what has ended, and drop what is older than RETENTION_DAYS.

    Harmless when late or doubled. What is not done within `seconds`, or has to wait for somebody's lock, is done by
    a later call.
    """
    end = time.monotonic() + seconds
    with locks.advisory_lock(HISTORY_LOCK) as held:
        if not held:
            return
        this_month = _month(now)
        for month in (this_month, _after(this_month)):
            _add(month)
        for issue in _ended(now):
            if not _move(issue, now, end):
                return
        before = now - timedelta(days=settings.RETENTION_DAYS)
        _forget_events(before, end)
        for month in months():
            if datetime.combine(_after(month), datetime.min.time(), UTC) <= before and not _is_in_use(month, before):
                _drop(month, end)


def months() -> list[date]:
    """The months that have a partition, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(MONTHS)
        return [row[0] for row in cursor.fetchall()]


def _ended(now: datetime) -> list[Issue]:
    over = Issue.objects.filter(finished_at__lte=now - MOVE_AFTER, deliveries_month__isnull=True)
    return list(over.order_by("finished_at"))


def _move(issue: Issue, now: datetime, end: float) -> bool:
    """Whether all copies of the issue are where they belong; False when the time was over before."""
    month = _month(issue.finished_at or now)
    _add(month)
    for after in range(issue.copies_after, issue.copies_until, CHUNK):
        if time.monotonic() > end:
            return False
        until = min(after + CHUNK, issue.copies_until)
        if not _move_chunk(issue=issue, after=after, until=until, month=month):
            return True
    with transaction.atomic():
        # A person may have sent copies of it again meanwhile: then it is under way, and ends once more.
        ended = Issue.objects.filter(pk=issue.pk, finished_at=issue.finished_at)
        if ended.update(deliveries_month=month):
            # A process may have died between a late result and its count.
            issue_outcomes.record(issue_id=issue.pk)
            issue_outcomes.lift_exceptions(issue_id=issue.pk)
    log.info("the copies of issue %s moved to the partition of %s", issue.pk, f"{month:%Y-%m}")
    return True


@transaction.atomic
def _move_chunk(*, issue: Issue, after: int, until: int, month: date) -> bool:
    """Move some of the copies; False if the issue was opened again."""
    # The issue before its copies, as everybody who changes a copy of a closed issue.
    locked = Issue.objects.select_for_update(no_key=True).filter(pk=issue.pk, finished_at=issue.finished_at)
    if not locked.exists():
        return False
    values: dict[str, Any] = {"issue": issue.pk, "after": after, "until": until, "month": month}
    with connection.cursor() as cursor:
        cursor.execute(HOLD_READERS, values)
        cursor.execute(IN_ORDER)
        cursor.execute(MOVE, values | {"open": list(Delivery.OPEN)})
    return True


def _is_in_use(month: date, before: datetime) -> bool:
    """Whether an issue with copies there ended later, or is under way: others of its copies were sent again."""
    return Delivery.objects.filter(
        Q(issue__finished_at__isnull=True) | Q(issue__finished_at__gt=before), month=month
    ).exists()


def _drop(month: date, end: float) -> None:
    """Delete what was said of the month's copies, then drop its partition; a later call goes on after `end`."""
    if not _delete(DeliveryEvent.objects.filter(issue__deliveries_month=month), end):
        return
    _call("digests_drop_month", month)
    log.info("the copies of issues that ended in %s are older than RETENTION_DAYS and were dropped", f"{month:%Y-%m}")


def _forget_events(before: datetime, end: float) -> None:
    """Delete what was said of copies before then, and of letters."""
    _delete(DeliveryEvent.objects.filter(received_at__lt=before), end)


def _delete(events: QuerySet[DeliveryEvent], end: float) -> bool:
    """Delete them in chunks; whether none is left."""
    while time.monotonic() < end:
        chunk = list(events.order_by().values_list("pk", flat=True)[:CHUNK])
        if not chunk:
            return True
        DeliveryEvent.objects.filter(pk__in=chunk).delete()
    return False


def _add(month: date) -> None:
    _call("digests_add_month", month)


def _call(function: str, month: date) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [month])


def _month(moment: datetime) -> date:
    return moment.astimezone(UTC).date().replace(day=1)


def _after(month: date) -> date:
    return month + timedelta(days=calendar.monthrange(month.year, month.month)[1])
