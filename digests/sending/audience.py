"""Who gets an issue: one INSERT ... SELECT over everybody mailable."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from digests.models import Delivery, Issue

# Whoever deletes a reader waits until a plan that may have chosen them is committed (migration 0008).
READERS_LOCK = 727301
HOLD_READERS = "SELECT pg_advisory_xact_lock_shared(%s)"

PLAN = """
INSERT INTO digests_delivery
    (uuid, issue_id, subscriber_id, state, reason, attempts, render_failures, fence, remote_id)
SELECT {uuid}(), %s, reader.subscriber_id, 'pending', '', 0, 0, 0, ''
FROM ({chosen}) AS reader (subscriber_id)
"""
# Only where there are copies already: looking for them takes as long as half the rest.
AGAIN = "ON CONFLICT (issue_id, subscriber_id) DO NOTHING"

# Values that follow each other go to the same page of their index, random ones each to another; the
# former are made by PostgreSQL 18 and later.
MAKE_UUID = "SELECT CASE WHEN to_regproc('uuidv7') IS NULL THEN 'gen_random_uuid' ELSE 'uuidv7' END"

LAST_ID = "SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM digests_delivery_id_seq"


def plan(*, issue: Issue, now: datetime) -> int:
    """Write a pending delivery for each reader who has none yet; return the size of the audience.

    May run twice: the unique key on (issue, subscriber) makes the second run add nothing.
    `issue.copies_after` and `copies_until` are set, and are the caller's to save.
    """
    chosen, parameters = issue.readers(now=now).order_by().values("subscriber_id").query.sql_with_params()
    # The subquery is the ORM's own SQL; every value in it is a parameter.
    again = AGAIN if Delivery.objects.filter(issue=issue).exists() else ""
    with connection.cursor() as cursor:
        cursor.execute(MAKE_UUID)
        statement = PLAN.format(uuid=cursor.fetchone()[0], chosen=chosen) + again
        cursor.execute(HOLD_READERS, [READERS_LOCK])
        cursor.execute(LAST_ID)
        issue.copies_after = issue.copies_after or cursor.fetchone()[0]
        cursor.execute(statement, [issue.pk, *parameters])
        cursor.execute(LAST_ID)
        issue.copies_until = cursor.fetchone()[0]
        # Without figures of the new rows the planner thinks that they are few, and walks over all of them
        # for each claim: 16 ms for 100 of 20,000 copies against 1.
        cursor.execute("ANALYZE digests_delivery")
    return Delivery.objects.filter(issue=issue).count()
