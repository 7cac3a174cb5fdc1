"""Who gets an issue: one INSERT ... SELECT over everybody mailable."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from digests.models import Delivery, Issue

PLAN = """
INSERT INTO digests_delivery
    (uuid, issue_id, subscriber_id, state, reason, attempts, render_failures, fence, remote_id)
SELECT gen_random_uuid(), %s, reader.subscriber_id, 'pending', '', 0, 0, 0, ''
FROM ({chosen}) AS reader (subscriber_id)
ON CONFLICT (issue_id, subscriber_id) DO NOTHING
"""

LAST_ID = "SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM digests_delivery_id_seq"


def plan(*, issue: Issue, now: datetime) -> int:
    """Write a pending delivery for each reader who has none yet; return the size of the audience.

    May run twice: the unique key on (issue, subscriber) makes the second run add nothing.
    `issue.copies_after` is set, and is the caller's to save.
    """
    chosen, parameters = issue.readers(now=now).order_by().values("subscriber_id").query.sql_with_params()
    # The subquery is the ORM's own SQL; every value in it is a parameter.
    statement = PLAN.format(chosen=chosen)
    with connection.cursor() as cursor:
        cursor.execute(LAST_ID)
        issue.copies_after = issue.copies_after or cursor.fetchone()[0]
        cursor.execute(statement, [issue.pk, *parameters])
        # Without figures of the new rows the planner thinks that they are few, and walks over all of them
        # for each claim: 16 ms for 100 of 20,000 copies against 1.
        cursor.execute("ANALYZE digests_delivery")
    return Delivery.objects.filter(issue=issue).count()
