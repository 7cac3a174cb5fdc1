"""Settling: what became of each copy is written once, by the lane that still holds its fence."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Collection, Sequence
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from core import prepared_statements
from digests import refusals
from digests.sending import claims
from postal import backoff, slowdown
from postal.transports.base import Outcome

log = logging.getLogger(__name__)

# `uncertain` is beside `attempting` here: when the lease ran out while the server was still answering,
# the lane that holds the fence knows better than the clock. Only what is final counts then: the issue
# may have been closed meanwhile, and a copy that waits in a closed issue would never be tried again.
SETTLE = """
UPDATE digests_delivery_open AS delivery
SET state = CASE
        WHEN result.state = 'deferred'
            AND GREATEST(issue.started_at, issue.rest_at) < now() - %(max_age)s * interval '1 hour' THEN 'expired'
        WHEN result.state = 'deferred' AND result.about_us AND delivery.attempts > 1 AND NOT %(tripped)s THEN 'rejected'
        ELSE result.state END,
    reason = result.reason,
    reason_parameters = result.parameters,
    remote_id = result.remote_id,
    attempts = delivery.attempts - COALESCE(result.unused, 0),
    disturbances = CASE WHEN result.is_in_vain THEN LEAST(delivery.disturbances + 1, 100) ELSE 0 END,
    due_at = CASE WHEN result.state = 'deferred' THEN now() + interval '1 second' * result.jitter * COALESCE(
        result.wait,
        CASE WHEN result.is_in_vain THEN (%(soon)s::float8[])[LEAST(delivery.disturbances + 1, %(last_soon)s)] END,
        (%(steps)s::float8[])[GREATEST(LEAST(delivery.attempts, %(last)s), 1)]) END,
    settled_at = CASE WHEN result.state = 'deferred' THEN NULL ELSE now() END,
    lease_until = NULL
FROM digests_issue AS issue,
    jsonb_to_recordset(%(results)s::jsonb) AS result
        (id bigint, fence bigint, state text, reason text, parameters jsonb, remote_id text, wait float8, jitter float8,
         about_us bool, gone bool, unused int, is_in_vain bool)
WHERE delivery.id = result.id AND issue.id = delivery.issue_id
    AND delivery.fence = result.fence
    AND (delivery.state = 'attempting' OR (delivery.state = 'uncertain' AND result.state IN ('accepted', 'rejected')))
"""

# A reader whose own server calls the mailbox gone: an event of ours, on record with the result and acted on by the
# same handler as a provider's (`refusals`). It waits, so that a breaker that pauses the issue comes first; what
# comes when it has is not believed.
SETTLE_AND_STORE_EVENTS = f"""
WITH settled AS (
    {SETTLE}
    RETURNING delivery.uuid, delivery.issue_id, delivery.fence, delivery.state,
        result.parameters->>'said' AS said, result.gone, NOT %(tripped)s AND issue.state <> 'paused' AS is_open
), event AS (
    INSERT INTO digests_deliveryevent (provider, event_id, kind, delivery_uuid, issue_id, remote_id,
        address_hash, about_mailbox, gave_up, description, occurred_at, received_at, due_at)
    SELECT '{refusals.PROVIDER}', uuid::text || ':' || fence,
        CASE WHEN is_open THEN 'hard_bounce' ELSE 'soft_bounce' END, uuid, issue_id, '', '', is_open, true,
        CASE WHEN is_open THEN COALESCE(said, '') ELSE '{refusals.NOT_BELIEVED}' END,
        now(), now(), now() + %(wait)s * interval '1 second'
    FROM settled WHERE gone AND state = 'rejected'
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM settled
"""  # noqa: S608  # constants only


def settle(
    *, batches: Collection[claims.Batch], outcomes: Sequence[Outcome], tripped: bool, patience: float = 0.0
) -> int:
    """Write the outcomes of an issue's batches in one statement; return how many rows took theirs.

    A refusal that is about us leaves the copy deferred, for the day when the cause is mended; only
    when it comes a second time and the issue goes on without trouble (not `tripped`) is it final.
    A database that is away is waited for, up to `patience` seconds; then its error is raised. A result that
    was written although nobody heard of it is written once: the row has moved on.
    """
    if not outcomes:
        return 0
    parameters = _parameters(batches, outcomes, tripped)
    deadline = time.monotonic() + patience
    while True:
        try:
            return _write(parameters)
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline:
                raise
            log.warning("the results of %s copies wait for the database", len(outcomes))
            connection.close()
            time.sleep(1)


def _write(parameters: dict[str, Any]) -> int:
    if "wait" not in parameters:
        return prepared_statements.count(SETTLE, parameters)
    return int(prepared_statements.rows(SETTLE_AND_STORE_EVENTS, parameters)[0][0])


def _parameters(batches: Collection[claims.Batch], outcomes: Sequence[Outcome], tripped: bool) -> dict[str, Any]:
    steps = backoff.steps()
    fences = {one: batch.fence for batch in batches for one in batch.ids}
    waits = {"wait": refusals.WAIT.total_seconds()} if any(one.is_gone for one in outcomes) else {}
    return waits | {
        "results": json.dumps([_result(one, fences[one.delivery_id]) for one in outcomes]),
        "steps": steps,
        "last": len(steps),
        "soon": backoff.SOON,
        "last_soon": len(backoff.SOON),
        "max_age": settings.SENDING.max_age_hours,
        "tripped": tripped,
    }


def _result(outcome: Outcome, fence: int) -> dict[str, Any]:
    """One outcome as SETTLE reads it; of an accepted copy, as nearly all are, it reads no more than this."""
    why = outcome.why.columns()
    written = {
        "id": outcome.delivery_id,
        "fence": fence,
        "state": outcome.state,
        "reason": why["reason"],
        "parameters": why["reason_parameters"],
        "remote_id": outcome.remote_id[:200],
    }
    if outcome.state == "accepted":
        return written
    is_away = outcome.found_nobody
    return written | {
        "state": "deferred" if outcome.about_us else outcome.state,
        "wait": backoff.AWAY_SECONDS if is_away and outcome.retry_after is None else outcome.retry_after,
        "jitter": backoff.jitter(),
        "about_us": outcome.about_us,
        "gone": outcome.is_gone,
        # A server that was not there, that says when to come back, or only that this is too fast, has refused nobody.
        "unused": int(is_away or outcome.retry_after is not None or slowdown.is_too_fast(outcome)),
        "is_in_vain": slowdown.is_in_vain(outcome),
    }
