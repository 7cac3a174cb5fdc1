"""The progress panel of an issue's page. The page fetches it again while copies are being sent."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.translation import gettext as _

from core import database_clock
from digests import stalls, stats
from digests.admin import actions, meanings
from digests.models import Issue
from digests.stats import Progress
from publication import formatting
from publication.row_actions import Action

State = Issue.State

# Minimum seconds between two refreshes of an open page. A finished issue is not refreshed.
SOON, LATER = 2.0, 15.0
FRESH: Final = {State.SENDING: SOON, State.PREPARING: SOON, State.SCHEDULED: LATER, State.PAUSED: LATER}
# Issues whose page is the monitor. The others have a form.
MONITORED: Final = frozenset(
    {State.PREPARING, State.SENDING, State.PAUSED, State.SENT, State.SENT_WITH_EXCEPTIONS, State.CANCELLED}
)
# What the page's one main button does, and the quieter button beside it.
MAIN: Final = ("pause", "resume", "rest", "failed")
BESIDE: Final = ("cancel",)


def context(*, issue: Issue, user: User, can_wait: bool = False) -> dict[str, Any]:
    """The context of templates/admin/digests/issue/progress.html; empty if there is nothing to show.

    Unless it can wait, the page does not count a million copies: it opens without them, and asks for them at once.
    """
    progress = stats.watched(issue) if can_wait else stats.glance(issue)
    if progress is None:
        return _uncounted(issue, user)
    now, is_dropped = database_clock.now(), stats.is_dropped(issue)
    # Dropped copies need no advice.
    diagnoses = [] if is_dropped else stalls.diagnose(issue=issue, progress=progress, now=now)
    is_monitored = issue.state in MONITORED
    if not (is_monitored or diagnoses):
        return {}
    is_due = issue.state == State.SCHEDULED and issue.scheduled_for is not None and issue.scheduled_for <= now
    least = SOON if is_due else FRESH.get(State(issue.state))
    # A cancelled issue has its end once the copies in flight have theirs.
    if issue.state == State.CANCELLED and issue.planned_at and issue.finished_at is None:
        least = SOON
    return {
        "issue": issue,
        "progress": progress,
        "headline": headline(issue=issue, progress=progress),
        "diagnoses": diagnoses,
        "lines": meanings.lines(progress),
        "pieces": meanings.pieces(progress),
        "by_variant": meanings.by_variant(progress, issue=issue),
        "seconds": max(least, progress.refresh_after) if least else 0,
        "page": "monitor" if is_monitored else issue.state,
        "main": _offered(issue, user, MAIN) if is_monitored else [],
        "beside": _offered(issue, user, BESIDE) if is_monitored else [],
        "choices": _offered(issue, user, actions.OF_UNCERTAIN) if progress.uncertain and not is_dropped else [],
        "is_dropped": is_dropped,
        "events": stats.events(issue),
    }


def _uncounted(issue: Issue, user: User) -> dict[str, Any]:
    return {
        "issue": issue,
        "is_uncounted": True,
        "headline": _("Its copies are being counted."),
        "main": _offered(issue, user, MAIN),
        "beside": _offered(issue, user, BESIDE),
    }


def headline(*, issue: Issue, progress: Progress) -> str:
    """How far the issue is, or who got it, in one sentence."""
    audience, got = formatting.number(progress.audience), progress.by_state["accepted"]
    if issue.state == State.PREPARING:
        return _("Its readers are being counted; the first copy leaves in a moment.")
    if issue.planned_at is None:
        return _("Nothing has left.")
    if progress.finished:
        return _("%(got)s of %(audience)s got it.") % {"got": formatting.number(got), "audience": audience}
    done = _("%(done)s of %(audience)s copies done") % {"done": formatting.number(progress.done), "audience": audience}
    parts = [done, *_to_go(progress)]
    return f"{', '.join(parts)}."


def _to_go(progress: Progress) -> list[str]:
    parts = []
    if progress.open:
        parts.append(_("%(copies)s to go") % {"copies": formatting.number(progress.open)})
    if progress.rate:
        rate = formatting.number(round(progress.rate)) if progress.rate >= 1 else f"{progress.rate:.1f}"
        parts.append(_("%(copies)s a second") % {"copies": rate})
    if progress.open and progress.time_left:
        parts.append(_("%(time)s left") % {"time": progress.time_left})
    return parts


def _offered(issue: Issue, user: User, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Those of these actions that this person may take now, with what each does and risks."""
    offered = [actions.ACTIONS[name] for name in names if actions.ACTIONS[name].is_offered(user=user, row=issue)]
    return [_button(issue, action) for action in offered]


def _button(issue: Issue, action: Action[Issue]) -> dict[str, Any]:
    return {
        "name": action.name,
        "label": str(action.label),
        "risk": str(action.explanation),
        "icon": action.icon,
        "path": reverse("admin:digests_issue_do", args=[issue.pk, action.name]),
    }
