"""Who gets an issue: everybody mailable, written in portions by one INSERT ... SELECT each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from digests.models import Delivery, Issue
from subscribers import erasure

# A portion is one transaction: what dies in it is done again, and an erasure waits for it.
LARGEST_PORTION = 1_000_000

# What `plan` changes of an issue.
REACHED = ("audience_count", "copies_after", "copies_until", "readers_after", "readers_until")

PLAN = """
WITH chosen AS MATERIALIZED (
    SELECT reader.subscriber_id FROM ({chosen}) AS reader (subscriber_id)
    WHERE reader.subscriber_id > %s AND reader.subscriber_id <= %s ORDER BY reader.subscriber_id LIMIT %s
),
written AS (
    INSERT INTO digests_delivery
        (uuid, issue_id, subscriber_id, state, reason, attempts, render_failures, fence, remote_id)
    SELECT {uuid}(), %s, subscriber_id, 'pending', '', 0, 0, 0, '' FROM chosen ORDER BY subscriber_id
    {again} RETURNING 1
)
SELECT (SELECT count(*) FROM chosen), (SELECT max(subscriber_id) FROM chosen), (SELECT count(*) FROM written)
"""
# Only where there are copies already: looking for them takes as long as half the rest.
AGAIN = "ON CONFLICT (issue_id, subscriber_id) DO NOTHING"

# Values that follow each other go to the same page of their index, random ones each to another; the
# former are made by PostgreSQL 18 and later.
MAKE_UUID = "SELECT CASE WHEN to_regproc('uuidv7') IS NULL THEN 'gen_random_uuid' ELSE 'uuidv7' END"

LAST_ID = "SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM digests_delivery_id_seq"


# Who is erased and subscribes anew is another reader, who must not come behind the portion that had the first.
BEGINNING = f"SELECT ({LAST_ID}), (SELECT COALESCE(max(id), 0) FROM subscribers_subscriber)"  # noqa: S608  # constants only


def plan(*, issue: Issue, now: datetime) -> None:
    """Write a pending delivery for each of the next readers; `issue` says afterwards how far the audience is.

    The first portion has FIRST_PORTION of them, each of the next as many as all before it: finding where
    it begins costs a look at those before.

    `readers_after` is the last reader who was looked at, or None when nobody is left; nobody after
    `readers_until` is, who was not there when it began. `audience_count` has grown by the copies written,
    `copies_after` and `copies_until` enclose their ids. They are REACHED, and are the caller's to save, in
    the transaction in which this runs.
    """
    is_first = issue.readers_after is None
    portion = min(max(settings.SENDING.first_portion, issue.audience_count or 0), LARGEST_PORTION)
    # Whoever deletes a reader waits until a plan that may have chosen them is committed (migration 0008).
    erasure.keep_readers()
    with connection.cursor() as cursor:
        if issue.audience_count is None:
            cursor.execute(BEGINNING)
            issue.copies_after, issue.readers_until = cursor.fetchone()
        cursor.execute(*_statement(issue, now, portion))
        looked_at, last_reader, written = cursor.fetchone()
        cursor.execute(LAST_ID)
        issue.copies_until = cursor.fetchone()[0]
        issue.audience_count = (issue.audience_count or 0) + written
        issue.readers_after = last_reader if looked_at == portion else None
        # Without figures of the new rows the planner thinks that they are few, and walks over all of them
        # for each claim: 16 ms for 100 of 20,000 copies against 1.
        if is_first or issue.readers_after is None:
            cursor.execute("SELECT digests_analyze_copies()")


def _statement(issue: Issue, now: datetime, portion: int) -> tuple[str, list[Any]]:
    chosen, parameters = issue.readers(now=now).order_by().values("subscriber_id").query.sql_with_params()
    after = issue.readers_after or 0
    is_begun = Delivery.objects.filter(issue=issue, subscriber_id__gt=after).exists()
    with connection.cursor() as cursor:
        cursor.execute(MAKE_UUID)
        uuid = cursor.fetchone()[0]
    # The subquery is the ORM's own SQL; every value in it is a parameter.
    statement = PLAN.format(uuid=uuid, chosen=chosen, again=AGAIN if is_begun else "")
    return statement, [*parameters, after, issue.readers_until, portion, issue.pk]
