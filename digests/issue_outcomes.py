"""Writes what became of an issue: its copies and reports as totals, which outlive the rows that they count.

While an issue is open, its copies are counted (`stats`). When it closes, its totals are stored, and from then
on they change in the transaction that changes a copy. Callers hold the issue's row, so that no copy changes
between the count and its commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from django.db import connection
from django.db.models import Count, F

from core.reasons import Reason
from digests import issue_reasons
from digests.models import Delivery, Issue, IssueOutcome

ADD_EVENTS = """
INSERT INTO digests_issueeventcount AS stored (issue_id, kind, events) VALUES (%s, %s, %s)
ON CONFLICT (issue_id, kind) DO UPDATE SET events = stored.events + EXCLUDED.events
"""


def record(*, issue_id: int) -> Counter[str]:
    """Count the issue's copies and store the totals in place of earlier ones; return the copies by state.

    Totals of more copies than there are stay: a month with copies of the issue was dropped since.
    Before: the caller has locked the issue's row, and no copy is open.
    """
    copies = Delivery.objects.filter(issue_id=issue_id).order_by().values("state", "reason", "variant")
    outcomes = [
        IssueOutcome(issue_id=issue_id, **row | {"variant": row["variant"] or ""})
        for row in copies.annotate(copies=Count("pk"))
    ]
    stored = list(IssueOutcome.objects.filter(issue_id=issue_id))
    if _copies(stored) > _copies(outcomes):
        outcomes = stored
    else:
        forget(issue_id=issue_id)
        IssueOutcome.objects.bulk_create(outcomes)
    by_state = Counter[str]()
    for outcome in outcomes:
        by_state[outcome.state] += outcome.copies
    return by_state


def _copies(outcomes: Iterable[IssueOutcome]) -> int:
    return sum(outcome.copies for outcome in outcomes)


def forget(*, issue_id: int) -> None:
    """The issue is open again, so its copies are counted until it closes."""
    IssueOutcome.objects.filter(issue_id=issue_id).delete()


def move(*, delivery: Delivery, state: str, reason: Reason) -> None:
    """One copy of a closed issue has another outcome than the one that `delivery` still shows.

    Before: the caller has locked the issue's row. Nothing happens while the issue is open.
    """
    variant = delivery.variant or ""
    stored = IssueOutcome.objects.filter(issue_id=delivery.issue_id, variant=variant)
    before = stored.filter(state=delivery.state, reason=delivery.reason)
    if not before.update(copies=F("copies") - 1):
        return
    before.filter(copies=0).delete()
    if not stored.filter(state=state, reason=reason.code).update(copies=F("copies") + 1):
        IssueOutcome.objects.create(
            issue_id=delivery.issue_id, state=state, reason=reason.code, variant=variant, copies=1
        )


def lift_exceptions(*, issue_id: int) -> None:
    """A finished issue whose last exception is settled is simply sent. The caller has locked its row."""
    if not IssueOutcome.objects.filter(issue_id=issue_id, state__in=Delivery.EXCEPTIONS).exists():
        closed = Issue.objects.filter(pk=issue_id, state=Issue.State.SENT_WITH_EXCEPTIONS)
        closed.update(state=Issue.State.SENT, **issue_reasons.columns())


def add_events(counts: Mapping[tuple[int, str], int]) -> None:
    """Add to an issue's reports of a kind, for each pair of both, in the transaction that settles these events."""
    with connection.cursor() as cursor:
        # In one order, so that two transactions never wait for each other.
        cursor.executemany(ADD_EVENTS, [(*pair, events) for pair, events in sorted(counts.items())])
