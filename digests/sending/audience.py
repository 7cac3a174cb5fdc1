"""Who gets an issue: one INSERT ... SELECT over everybody mailable."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from digests.models import Delivery, Issue
from subscribers.models import Subscription, SubscriptionQuerySet

PLAN = """
INSERT INTO digests_delivery
    (uuid, issue_id, subscriber_id, state, reason, attempts, render_failures, fence, remote_id)
SELECT gen_random_uuid(), %s, reader.subscriber_id, 'pending', '', 0, 0, 0, ''
FROM ({chosen}) AS reader (subscriber_id)
ON CONFLICT (issue_id, subscriber_id) DO NOTHING
"""


def readers(*, issue: Issue, now: datetime) -> SubscriptionQuerySet:
    """The subscriptions that the issue is for and that may be mailed: its newsletter and cadence.

    A letter has no cadence and is for every cadence. A subscriber has one subscription per
    newsletter, so nobody stands in it twice.
    """
    found = Subscription.objects.all().mailable(now=now).filter(newsletter_id=issue.newsletter_id)
    return found.filter(cadence=issue.cadence) if issue.cadence else found


def plan(*, issue: Issue, now: datetime) -> int:
    """Write a pending delivery for each reader who has none yet; return the size of the audience.

    May run twice: the unique key on (issue, subscriber) makes the second run add nothing.
    """
    chosen, parameters = readers(issue=issue, now=now).order_by().values("subscriber_id").query.sql_with_params()
    # The subquery is the ORM's own SQL; every value in it is a parameter.
    statement = PLAN.format(chosen=chosen)
    with connection.cursor() as cursor:
        cursor.execute(statement, [issue.pk, *parameters])
    return Delivery.objects.filter(issue=issue).count()
