"""Detects a database that was rolled back: a restored backup, a failover to a replica that lagged behind.

Such a database has forgotten copies that left, and would send them again. So each batch is noted
outside of it before it leaves, in Redis and in the process that sends it: one of its copies and the
batch's fence, which the database has on record by then and keeps. Before a lane claims anything, and
before an issue is planned, the notes are compared with the rows. When a row knows less than its note,
whatever is under way is paused, and nothing leaves until `manage.py after_restore` was run.

A note costs one round trip to Redis per batch. Without Redis a process has only its own notes; that
keeps nobody waiting.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Iterable
from typing import Any, Final

import redis
from django.db import connection
from django.utils import timezone

from core import redis_client
from digests import issue_reasons
from digests.issue_reasons import IssueReason
from digests.models import Issue

log = logging.getLogger(__name__)

State = Issue.State

REASON: Final = IssueReason.DATABASE_FORGOT
# Longer than backups are kept.
KEEP_SECONDS: Final = 40 * 86_400

# Notes belong to the database that holds this issue: a new instance begins without any.
INSTANCE = "SELECT uuid FROM digests_issue ORDER BY id LIMIT 1"

# An attempt leaves its fence in the row, whatever becomes of it; every way back into the queue draws a new one.
FORGOTTEN = """
WITH delivery AS (SELECT id, fence, state FROM digests_delivery WHERE id = ANY(%(ids)s::bigint[]))
SELECT count(*) FROM unnest(%(ids)s::bigint[], %(fences)s::bigint[]) AS note (id, fence)
LEFT JOIN delivery ON delivery.id = note.id
WHERE delivery.id IS NULL OR delivery.fence < note.fence
    OR (delivery.fence = note.fence AND delivery.state IN ('pending', 'claimed'))
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """One copy of a lane's newest batch, its fence, and the highest id of a copy that the lane ever attempted."""

    delivery_id: int
    fence: int
    highest: int

    def dump(self) -> str:
        return f"{self.delivery_id} {self.fence} {self.highest}"


# instance -> (issue, lane) -> mark: what this process saw itself, which Redis may have lost.
_own: dict[str, dict[tuple[int, int], Mark]] = {}
redis_breaker = redis_client.CircuitBreaker(consequence="what leaves is noted in this process only")


class Journal:
    """Takes the notes of one lane. Made before the lane's first claim."""

    def __init__(self, *, issue_id: int, lane: int) -> None:
        self._instance = instance_id()
        self._place = issue_id, lane
        known = [note for place, note in _notes(self._instance, issue_id).items() if place == str(lane)]
        self._highest = max((note.highest for note in known), default=0)
        self._begins = True

    def note(self, *, delivery_id: int, fence: int, highest: int) -> None:
        """Before: the batch's attempts are committed, and nothing of it has left."""
        self._highest = max(self._highest, highest)
        note = Mark(delivery_id, fence, self._highest)
        _own.setdefault(self._instance, {})[self._place] = note
        redis_breaker.ask(functools.partial(self._write, text=note.dump()))

    def _write(self, client: redis.Redis, *, text: str) -> None:
        issue_id, lane = self._place
        key = _key(self._instance, issue_id)
        if not self._begins:
            client.hset(key, str(lane), text)
            return
        with client.pipeline(transaction=False) as pipe:
            pipe.hset(key, str(lane), text)
            pipe.expire(key, KEEP_SECONDS)
            # So that an issue which the database does not know at all is missed as well.
            pipe.set(_key(self._instance, "newest"), text, ex=KEEP_SECONDS)
            pipe.execute()
        self._begins = False


def is_behind(*, issue_id: int) -> bool:
    """Whether the database has forgotten copies, of this issue or of the newest; then all that is under way is paused.

    Asks Redis first and the rows then, so that a note which is taken meanwhile is never missed by its row.
    """
    notes = _notes(instance_id(), issue_id).values()
    if not notes:
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            FORGOTTEN, {"ids": [note.delivery_id for note in notes], "fences": [note.fence for note in notes]}
        )
        forgotten = cursor.fetchone()[0]
    if not forgotten:
        return False
    log.critical("the database was rolled back: it has forgotten copies that left, so everything is paused")
    Issue.objects.filter(state=State.SENDING).update(state=State.PAUSED, **issue_reasons.columns(REASON))
    waiting = Issue.objects.filter(state__in=[State.SCHEDULED, State.PREPARING], scheduled_for__lte=timezone.now())
    waiting.update(**issue_reasons.columns(REASON))
    return True


def highest(*, issue_id: int) -> int:
    """No copy of the issue above this id has left; 0 when there is no note of it."""
    return max(
        (note.highest for place, note in _notes(instance_id(), issue_id).items() if place != "newest"), default=0
    )


def highest_fence() -> int:
    """The highest fence that was noted lately; 0 when none was."""
    newest = _notes(instance_id(), 0).get("newest")
    return newest.fence if newest else 0


def acknowledge(*, fence: int) -> bool:
    """Whatever was noted with a fence up to this one is settled. Returns False when Redis does not answer."""
    key = _key(instance_id(), "forgiven")
    return bool(redis_breaker.ask(lambda client: client.set(key, fence, ex=KEEP_SECONDS)))


def instance_id() -> str:
    """What tells this database's notes from those of another one that uses the same Redis."""
    with connection.cursor() as cursor:
        cursor.execute(INSTANCE)
        row = cursor.fetchone()
    return str(row[0]) if row else ""


def _notes(of: str, issue_id: int) -> dict[str, Mark]:
    """The notes of the issue by lane, and the newest of all as `newest`; none that was acknowledged."""

    def read(client: redis.Redis) -> Any:
        with client.pipeline(transaction=False) as pipe:
            pipe.hgetall(_key(of, issue_id))
            pipe.mget(_key(of, "newest"), _key(of, "forgiven"))
            return pipe.execute()

    by_lane, (newest, acknowledged) = redis_breaker.ask(read) or ({}, (None, None))
    marks = [(lane.decode(), Mark(*map(int, text.split()))) for lane, text in by_lane.items()]
    marks += [("newest", Mark(*map(int, newest.split())))] if newest else []
    marks += [(str(lane), note) for (issue, lane), note in _own.get(of, {}).items() if issue == issue_id]
    return _latest(marks, after=int(acknowledged or 0))


def _latest(marks: Iterable[tuple[str, Mark]], *, after: int) -> dict[str, Mark]:
    latest: dict[str, Mark] = {}
    for place, note in marks:
        if note.fence > max(after, latest[place].fence if place in latest else 0):
            latest[place] = note
    return latest


def _key(of: str, what: int | str) -> str:
    return redis_client.key("left", of, what)
