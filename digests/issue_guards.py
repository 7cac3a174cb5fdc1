"""What the database itself refuses of an issue, and the indexes that its queries use."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.db.models import F, Q

from digests import states
from digests.states import IssueState

CONSTRAINTS: Final[list[models.BaseConstraint]] = [
    # One issue per period, however irregular the ticks are.
    models.UniqueConstraint(
        fields=["newsletter", "kind", "cadence", "period_key"],
        condition=~Q(period_key=""),
        name="issue_once_per_period",
    ),
    # What some readers get instead of an issue has the number of that one.
    models.UniqueConstraint(
        fields=["newsletter", "number"], condition=Q(instead_of__isnull=True), name="issue_number_once"
    ),
    models.CheckConstraint(condition=Q(state__in=IssueState.values), name="issue_state_is_known"),
    models.CheckConstraint(
        condition=Q(state__in=states.UNPLANNED) | Q(number__isnull=False, audience_count__isnull=False),
        name="issue_sending_is_planned",
    ),
    models.CheckConstraint(
        condition=Q(deliveries_month__isnull=True) | Q(state__in=states.FINISHED),
        name="issue_moved_is_finished",
    ),
]
INDEXES: Final[list[models.Index]] = [
    # sending.history: what has ended and whose copies are to be moved.
    models.Index(
        fields=["finished_at"],
        condition=Q(finished_at__isnull=False, deliveries_month__isnull=True),
        name="issue_to_move",
    ),
    # digests.tasks.tick: issues that are approved and due, or being sent.
    models.Index(fields=["state", "scheduled_for"], condition=Q(state__in=states.ACTIVE), name="issue_active"),
    # composing: drafts that wait for automatic approval.
    models.Index(fields=["id"], condition=Q(approves_itself=True), name="issue_approves_itself"),
    # newsletter_pages: how many mails came in the last weeks.
    models.Index(fields=["newsletter", "planned_at"], condition=Q(number__isnull=False), name="issue_planned"),
    # composing: the end of the previous window.
    models.Index("newsletter", "kind", "cadence", F("window_end").desc(), name="issue_line"),
]
