"""Taking rows to work on, and giving back those of lanes that died.

Leases are measured by the database's clock, so a host whose clock jumps changes nothing.
"""

from __future__ import annotations

import dataclasses

from django.conf import settings

from core import prepared_statements
from digests.delivery_reasons import DeliveryReason
from postal.answers import Cause


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Rows that this lane holds. `fence` is drawn for each claim; only its holder may move them."""

    issue_id: int
    ids: tuple[int, ...]
    fence: int

    @property
    def last_id(self) -> int:
        return self.ids[-1]


# Pending rows are looked for from the lane's own place on, so that a claim never walks over the rows that
# were already taken, and only as far as the issue's rows go; deferred rows by their time.
CLAIM = """
WITH mark AS (SELECT nextval('digests_fence') AS fence),
due AS (
    SELECT id FROM digests_delivery_open
    WHERE issue_id = %(issue)s AND state = 'deferred' AND due_at <= now()
        AND (reason <> %(hour)s OR due_at > now() - %(late)s * interval '1 hour')
    ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
),
fresh AS (
    SELECT id FROM digests_delivery_open
    WHERE issue_id = %(issue)s AND state = 'pending' AND id > %(after)s
        AND id <= (SELECT copies_until FROM digests_issue WHERE id = %(issue)s)
    ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
),
chosen AS (
    SELECT id FROM (SELECT id, 0 AS turn FROM due UNION ALL SELECT id, 1 FROM fresh) AS rows
    ORDER BY turn, id LIMIT %(limit)s
)
UPDATE digests_delivery_open AS delivery
SET state = 'claimed', fence = mark.fence, lease_until = now() + %(lease)s * interval '1 second', due_at = NULL
FROM mark, chosen WHERE delivery.id = chosen.id
RETURNING delivery.id, delivery.fence
"""

RELEASE = """
UPDATE digests_delivery_open SET state = 'pending', lease_until = NULL
WHERE id = ANY(%(ids)s::bigint[]) AND state = 'claimed' AND fence = %(fence)s
"""

RECOVER = """
UPDATE digests_delivery_open SET
    state = CASE state WHEN 'claimed' THEN 'pending' ELSE 'uncertain' END,
    reason = CASE state WHEN 'claimed' THEN reason ELSE %(reason)s END,
    reason_parameters = CASE state WHEN 'claimed' THEN reason_parameters END,
    settled_at = CASE state WHEN 'claimed' THEN NULL ELSE now() END,
    lease_until = NULL
WHERE id IN (
    SELECT copy.id FROM digests_delivery_open AS copy JOIN digests_issue AS issue ON issue.id = copy.issue_id
    WHERE (issue.state IN ('sending', 'paused') OR (issue.state = 'cancelled' AND issue.finished_at IS NULL))
        AND copy.state IN ('claimed', 'attempting') AND copy.lease_until < now()
    FOR UPDATE OF copy SKIP LOCKED
)
"""

# A full mailbox stays on record: `soft_bounces` counts it.
EXPIRE = """
UPDATE digests_delivery_open AS delivery
SET state = 'expired', settled_at = now(), due_at = NULL,
    reason = CASE delivery.reason WHEN %(full)s THEN delivery.reason ELSE %(reason)s END,
    reason_parameters = CASE delivery.reason WHEN %(full)s THEN delivery.reason_parameters END
FROM digests_issue AS issue
WHERE issue.id = delivery.issue_id AND issue.state = 'sending' AND delivery.state = 'deferred'
    AND delivery.due_at IS NOT NULL AND delivery.reason <> %(hour)s
    AND GREATEST(issue.started_at, issue.rest_at) < now() - %(hours)s * interval '1 hour'
"""

# A copy that waited for its reader's hour and could not leave then leaves at no other. The reader is out of step after
# that, so the next issue brings the stories. Readers are locked first, as everywhere.
MISS = """
WITH missed AS MATERIALIZED (
    SELECT copy.id, copy.subscriber_id, issue.newsletter_id
    FROM digests_delivery_open AS copy JOIN digests_issue AS issue ON issue.id = copy.issue_id
        JOIN subscribers_subscriber AS reader ON reader.id = copy.subscriber_id
    WHERE issue.state IN ('sending', 'paused') AND copy.state = 'deferred' AND copy.reason = %(hour)s
        AND copy.due_at < now() - %(late)s * interval '1 hour'
    ORDER BY reader.id FOR NO KEY UPDATE OF reader
),
skipped AS (
    UPDATE digests_delivery_open AS copy
    SET state = 'suppressed', reason = %(missed)s, settled_at = now(), due_at = NULL
    FROM missed WHERE missed.id = copy.id AND copy.state = 'deferred'
    RETURNING missed.subscriber_id, missed.newsletter_id
)
UPDATE subscribers_subscription AS subscription SET out_of_step_since = COALESCE(out_of_step_since, now())
FROM skipped
WHERE skipped.subscriber_id = subscription.subscriber_id AND skipped.newsletter_id = subscription.newsletter_id
"""


def claim(*, issue_id: int, after: int, limit: int) -> Batch | None:
    """Hold up to `limit` rows of the issue: deferred ones that are due, then pending ones after `after`.

    Returns None when there are none. Two lanes never hold the same row: SKIP LOCKED and the state decide.
    """
    rows = prepared_statements.rows(
        CLAIM,
        {"issue": issue_id, "after": after, "limit": limit, "lease": settings.SENDING.lease_seconds, **_hours()},
    )
    if not rows:
        return None
    return Batch(issue_id=issue_id, ids=tuple(sorted(row[0] for row in rows)), fence=rows[0][1])


def release(*, batch: Batch) -> int:
    """Give back the rows of the batch that are still only claimed: nothing of them has left."""
    return prepared_statements.count(RELEASE, {"ids": prepared_statements.array(batch.ids), "fence": batch.fence})


def recover() -> int:
    """Free rows whose lease ran out: claimed -> pending; attempting -> uncertain, since bytes may have left."""
    return prepared_statements.count(RECOVER, {"reason": DeliveryReason.SENDER_STOPPED.value})


def expire() -> int:
    """Give up deferred copies of issues that started more than MAX_AGE_HOURS ago."""
    reasons = {"reason": DeliveryReason.TOO_OLD.value, "full": Cause.MAILBOX_FULL.value}
    return prepared_statements.count(EXPIRE, {"hours": settings.SENDING.max_age_hours, **reasons, **_hours()})


def miss() -> int:
    """Skip the copies that could not leave at their reader's hour, nor READERS_HOUR_LATE hours later."""
    return prepared_statements.count(MISS, {"missed": DeliveryReason.HOUR_MISSED.value, **_hours()})


def _hours() -> dict[str, str | int]:
    return {"hour": DeliveryReason.READERS_HOUR.value, "late": settings.SENDING.late_hours}
