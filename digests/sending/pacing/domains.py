"""Limits of the readers' mail domains: whose turn it is not is put off to its turn, the others go on."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Container
from typing import Any, Final

from django.conf import settings
from django.db import connection

from digests.delivery_reasons import DeliveryReason
from digests.sending import claims
from postal import backoff, limiter, throttle

REASON: Final = DeliveryReason.DOMAINS_TURN

DOMAINS = """
SELECT delivery.id, substring(reader.address_key FROM '[^@]*$')
FROM digests_delivery_open AS delivery JOIN subscribers_subscriber AS reader ON reader.id = delivery.subscriber_id
WHERE delivery.id = ANY(%s)
"""

NEXT_TURN = """
SELECT EXTRACT(EPOCH FROM min(due_at) - now())::float8 FROM digests_delivery_open
WHERE issue_id = %s AND state = 'deferred' AND due_at IS NOT NULL
"""

# The hour is the turn in the domain's line, so that a row is claimed again once, not over and over.
PUT_OFF = """
UPDATE digests_delivery_open AS delivery
SET state = 'deferred', reason = %(reason)s, reason_parameters = NULL, lease_until = NULL,
    due_at = now() + turn.wait * interval '1 second'
FROM unnest(%(ids)s::bigint[], %(waits)s::float8[]) AS turn (id, wait)
WHERE delivery.id = turn.id AND delivery.state = 'claimed' AND delivery.fence = %(fence)s
"""


def defer_over_limit(*, batch: claims.Batch, shared: limiter.Limits, throttled: Container[str]) -> claims.Batch:
    """The part of a claimed batch whose domains take copies now.

    After: the others are `deferred` with the hour of their turn, and no attempt is counted. `throttled`
    are the subjects with a throttle; a domain without a limit that is not among them costs nothing.
    """
    waits: dict[int, float] = {}
    for domain, ids in _by_domain(batch).items():
        rules, subject = rules_for(domain), f"domain:{domain}"
        if rules or subject in throttled:
            grant = shared.ask(rules=rules, slow=[subject], wanted=len(ids), partial_grant=True)
            waits |= _turns(ids[grant.count :], subject, rules, grant, shared)
    if not waits:
        return batch
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {
            "reason": str(REASON),
            "ids": list(waits),
            "waits": list(waits.values()),
            "fence": batch.fence,
        }
        cursor.execute(PUT_OFF, parameters)
    return dataclasses.replace(batch, ids=tuple(one for one in batch.ids if one not in waits))


def next_turn(*, issue_id: int) -> float | None:
    """Seconds until the next deferred copy of the issue is due; None when there is none."""
    with connection.cursor() as cursor:
        cursor.execute(NEXT_TURN, [issue_id])
        wait: float | None = cursor.fetchone()[0]
    return wait


def rules_for(domain: str) -> list[limiter.Rule]:
    """The domain's own limits, or those of any domain (`*`)."""
    known = settings.PACING.domains
    limits = known.get(domain, known.get("*", []))
    return [limiter.Rule(f"domain:{domain}", limit, seconds) for limit, seconds in limits]


def _by_domain(batch: claims.Batch) -> dict[str, list[int]]:
    by_domain: dict[str, list[int]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(DOMAINS, [list(batch.ids)])
        for delivery_id, domain in cursor.fetchall():
            by_domain[domain].append(delivery_id)
    return by_domain


def _turns(
    ids: list[int], subject: str, rules: list[limiter.Rule], grant: limiter.Grant, shared: limiter.Limits
) -> dict[int, float]:
    """Seconds until the turn of each."""
    if not ids:
        return {}
    if not rules:
        # What a slow-down leaves changes by the second, so nobody is put off beyond its end.
        spread = throttle.RECOVERY_SECONDS / len(ids)
        return {one: grant.wait + (place + 1) * spread * backoff.jitter() for place, one in enumerate(sorted(ids))}
    per_second = min(rule.limit / rule.seconds for rule in rules)
    first = max(grant.wait, shared.queue(subject=subject, count=len(ids), per_second=per_second))
    return {one: (first + place / per_second) * backoff.jitter() for place, one in enumerate(sorted(ids))}
