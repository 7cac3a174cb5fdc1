"""The numbers above an issue's form: what the page shows at first, and what it fetches again while copies leave."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.models import User
from django.urls import reverse

from core import database_clock
from digests import stalls, stats
from digests.admin import actions
from digests.models import Issue

State = Issue.State

# Seconds after which an open page asks again, at least; a finished issue is asked for no more.
SOON, LATER = 2.0, 15.0
FRESH: Final = {State.SENDING: SOON, State.PREPARING: SOON, State.SCHEDULED: LATER, State.PAUSED: LATER}


def context(*, issue: Issue, user: User) -> dict[str, Any]:
    """The variables of templates/admin/digests/issue/progress.html; nothing for an issue of which nothing is to say."""
    progress, now, is_dropped = stats.watched(issue), database_clock.now(), stats.is_dropped(issue)
    # Of copies that are gone nothing is to be done.
    reasons = [] if is_dropped else stalls.reasons(issue=issue, progress=progress, now=now)
    if not (issue.planned_at or reasons):
        return {}
    is_due = issue.state == State.SCHEDULED and issue.scheduled_for is not None and issue.scheduled_for <= now
    least = SOON if is_due else FRESH.get(State(issue.state))
    return {
        "issue": issue,
        "progress": progress,
        "reasons": reasons,
        "seconds": max(least, progress.look_again_in) if least else 0,
        "state": issue.state,
        "choices": _choices(issue, user) if progress.uncertain and not is_dropped else [],
        "is_dropped": is_dropped,
        "events": stats.events(issue),
    }


def _choices(issue: Issue, user: User) -> list[dict[str, str]]:
    """What this person may decide of all uncertain copies; one by one in their list."""
    return [
        {"label": str(action.label), "path": reverse("admin:digests_issue_do", args=[issue.pk, action.name])}
        for action in map(actions.ACTIONS.__getitem__, actions.OF_UNCERTAIN)
        if action.is_offered(user=user, row=issue)
    ]
