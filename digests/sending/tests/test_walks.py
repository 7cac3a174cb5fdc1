"""How far the engine walks over the rows: an issue that is over, or not the one asked for, costs nothing.

Tables of tests are small, so the planner is set to do as it does with those of the size that matters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from digests.delivery_reasons import DeliveryReason
from digests.models import Issue
from digests.sending import claims

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]
MANY = 50
HOURS = {"hour": DeliveryReason.READERS_HOUR.value, "late": 3}
AS_WITH_MANY_ROWS = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"


def visits(statement: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """How the statement, which is carried out, came to its rows of the copies' table."""
    with connection.cursor() as cursor:
        cursor.execute(AS_WITH_MANY_ROWS)
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
        [plan] = cursor.fetchone()[0]
    return [node for node in nodes(plan["Plan"]) if node.get("Relation Name") == "digests_delivery_open"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def looked_at_in_vain(visited: list[dict[str, Any]]) -> int:
    return sum(int(node.get("Rows Removed by Filter", 0)) for node in visited)


def test_a_claim_ends_where_the_rows_of_its_issue_end(sending: Start) -> None:
    """Else the last claims of a small issue would look at every copy of a large one that was planned after it."""
    small = sending(1)
    assert claims.claim(issue_id=small.pk, after=0, limit=1)
    sending(MANY)
    visited = visits(claims.CLAIM, {"issue": small.pk, "after": 0, "limit": MANY, "lease": 60, **HOURS})
    assert looked_at_in_vain(visited) <= 1, json.dumps(visited)


def test_what_is_too_old_is_looked_for_in_what_was_put_off(sending: Start) -> None:
    sending(MANY)
    reasons = {"reason": DeliveryReason.TOO_OLD.value, "full": "mailbox_full"}
    visited = visits(claims.EXPIRE, {"hours": 24, **reasons, **HOURS})
    assert looked_at_in_vain(visited) == 0, json.dumps(visited)
