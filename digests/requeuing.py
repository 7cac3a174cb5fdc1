"""Back to the queue: copies that had ended leave after all, and their issue is being sent again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Func, QuerySet, Value

from digests import delivery_reasons, issue_outcomes, issue_reasons
from digests.models import Delivery, Issue


def copies(chosen: QuerySet[Delivery], *, reason: str = "", **columns: int) -> int:
    """Make the copies pending; return how many. Before: their issue and their readers are locked, in this order.

    A lane that still holds one can settle it no more, and one that was moved to a month comes back from there.
    """
    return chosen.update(
        state=Delivery.State.PENDING,
        # A new fence, so that the lane that held the copy cannot settle it.
        fence=Func(Value("digests_fence"), function="nextval"),
        # Back to where the engine works.
        month=None,
        settled_at=None,
        lease_until=None,
        due_at=None,
        **delivery_reasons.columns(reason),
        **columns,
    )


def issue(*, issue_id: int, now: datetime, **columns: Any) -> None:
    """Make an issue that had ended one that is being sent; its outcomes are counted when it ends.

    Before: its row is locked, and its state allows it.
    """
    issue_outcomes.forget(issue_id=issue_id)
    Issue.objects.filter(pk=issue_id).update(
        state=Issue.State.SENDING,
        finished_at=None,
        deliveries_month=None,
        updated_at=now,
        **issue_reasons.columns(),
        **columns,
    )
