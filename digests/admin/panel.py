"""The progress panel above an issue's form. The page fetches it again while copies are being sent."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.models import User
from django.urls import reverse

from core import database_clock
from digests import stalls, stats
from digests.admin import actions
from digests.models import Issue

State = Issue.State

# Minimum seconds between two refreshes of an open page. A finished issue is not refreshed.
SOON, LATER = 2.0, 15.0
FRESH: Final = {State.SENDING: SOON, State.PREPARING: SOON, State.SCHEDULED: LATER, State.PAUSED: LATER}


def context(*, issue: Issue, user: User) -> dict[str, Any]:
    """The context of templates/admin/digests/issue/progress.html; empty if there is nothing to show."""
    progress, now, is_dropped = stats.watched(issue), database_clock.now(), stats.is_dropped(issue)
    # Dropped copies need no advice.
    diagnoses = [] if is_dropped else stalls.diagnose(issue=issue, progress=progress, now=now)
    if not (issue.planned_at or diagnoses):
        return {}
    is_due = issue.state == State.SCHEDULED and issue.scheduled_for is not None and issue.scheduled_for <= now
    least = SOON if is_due else FRESH.get(State(issue.state))
    return {
        "issue": issue,
        "progress": progress,
        "diagnoses": diagnoses,
        "seconds": max(least, progress.refresh_after) if least else 0,
        "state": issue.state,
        "choices": _uncertain_actions(issue, user) if progress.uncertain and not is_dropped else [],
        "is_dropped": is_dropped,
        "events": stats.events(issue),
    }


def _uncertain_actions(issue: Issue, user: User) -> list[dict[str, str]]:
    """The actions on all uncertain copies that this person may take. Their list has them one by one."""
    return [
        {"label": str(action.label), "path": reverse("admin:digests_issue_do", args=[issue.pk, action.name])}
        for action in map(actions.ACTIONS.__getitem__, actions.OF_UNCERTAIN)
        if action.is_offered(user=user, row=issue)
    ]
