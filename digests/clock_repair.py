"""Repair rows that were written while the database's clock was ahead.

A host that differs from the database refuses to work, and no deciding column is written ahead of the database's
clock. Where both were ahead together, as on one machine, there remain a release horizon in the future, so that
new stories are in no digest, digests of future periods, and rows that are due far in the future.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.db.models.functions import Least

from articles import publishing
from articles.models import Article, ReleaseHorizon
from core import database_clock
from digests import issue_reasons
from digests.issue_reasons import IssueReason
from digests.models import DeliveryEvent, Issue, IssueItem
from subscribers.models import CadenceOffer, Letter, Subscription

State = Issue.State
LOOK_AGAIN = IssueReason.CLOCK_AHEAD
MICROSECOND: Final = timedelta(microseconds=1)
# An event that matches no copy is retried within this time.
LONGEST_WAIT: Final = timedelta(days=2)
PAST_TIMES: Final = ("created_at", "approved_at", "planned_at", "started_at", "finished_at")


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of row that was ahead of the clock, and its repair, in whole sentences."""

    problem: str
    remedy: str


def repair(*, apply: bool) -> list[Finding]:
    """Repair everything that is ahead of the database's clock. Without `apply`, only report it.

    After: stories that were published since are in the next digest of each series, in their order. Windows end
    at the last story of their digest. A digest composed for a future period does not replace that period's own,
    and one that has not begun to leave is a draft. Rows that waited for a wrong time are due. May be repeated.

    Publishing and composing wait while it runs. On failure: database_clock.HostClockWrong if this host's clock
    is wrong: then it is unknown which of the two clocks is right.
    """
    database_clock.for_tick()
    with transaction.atomic():
        publishing.lock_window()
        findings = list(_repair(database_clock.now()))
        if not apply:
            transaction.set_rollback(True)
    return findings


def _repair(now: datetime) -> Iterator[Finding]:
    yield from _horizon(now)
    yield from _stories(now)
    yield from _digests(now)
    yield from _past_times(now)
    yield from _times(
        CadenceOffer.objects.all(), "active_since", now, "{count} cadences are offered only from a time to come.",
        "They are offered from now on.",
    )  # fmt: skip
    yield from _runs(now)
    yield from _times(
        Subscription.objects.all(), "confirmed_at", now, "{count} subscriptions were confirmed at a time to come.",
        "They count as confirmed now, so bounces and complaints about them are heard again.",
    )  # fmt: skip
    yield from _letters(now)
    yield from _times(
        DeliveryEvent.objects.filter(settled_at=None, due_at__gt=now + LONGEST_WAIT), "due_at", now,
        "{count} reports of bounces, complaints and the like wait for a time to come.", "They are looked at now.",
    )  # fmt: skip


def _horizon(now: datetime) -> Iterator[Finding]:
    horizon = ReleaseHorizon.objects.filter(closed_until__gt=now).first()
    if horizon is None:
        return
    problem = (
        f"The release horizon is {_formatted(horizon.closed_until)}: stories that are published now are in no digest."
    )
    ReleaseHorizon.objects.update(closed_until=now)
    yield Finding(problem, "It becomes the present.")


def _stories(now: datetime) -> Iterator[Finding]:
    ahead = Article.objects.filter(Q(first_published_at__gt=now) | Q(republished_at__gt=now))
    stories = list(ahead.order_by("first_published_at", "pk").only("pk", "first_published_at", "republished_at"))
    for number, story in enumerate(stories, start=1):
        # After every closed window, in the same order as before.
        moment = now + number * MICROSECOND
        for name in ("first_published_at", "republished_at"):
            if (value := getattr(story, name)) is not None and value > now:
                setattr(story, name, moment)
    Article.objects.bulk_update(stories, ["first_published_at", "republished_at"], batch_size=1_000)
    if stories:
        yield Finding(f"{len(stories)} stories were released at a time to come.", "They are in the next digests.")
    dated = Article.objects.published()
    yield from _times(
        dated, "published_at", now, "{count} stories show a date to come.", "They show the present one; correct it."
    )
    for name in ("withdrawn_at", "updated_at"):
        Article.objects.filter(**{f"{name}__gt": now}).update(**{name: now})


def _digests(now: datetime) -> Iterator[Finding]:
    """Issues whose window ends in the future."""
    for issue in Issue.objects.select_for_update(no_key=True).filter(window_end__gt=now).order_by("window_end", "pk"):
        name = f"Issue {issue.pk} ({issue}, {issue.get_state_display().lower()})"
        problem = f"{name} is of a period to come: its window ends {_formatted(issue.window_end or now)}."
        issue.window_end = _last_release(issue) or min(issue.window_start or now, now)
        issue.window_start = min(issue.window_start or issue.window_end, issue.window_end)
        if issue.kind == Issue.Kind.DIGEST:
            issue.period_key = f"moved-{issue.pk}"
        remedy = "Its window ends at its last story, and it does not take the place of that period's own digest."
        if issue.state == State.DRAFT or (issue.state == State.SCHEDULED and (issue.approved_at or now) > now):
            _to_draft(issue)
            remedy += " It is a draft: look at it, then approve or cancel it."
        issue.save()
        yield Finding(problem, remedy)


def _last_release(issue: Issue) -> datetime | None:
    """The release time of its last story. Called after the stories were repaired."""
    released: datetime | None = IssueItem.objects.filter(issue=issue).aggregate(
        last=Max("article__first_published_at")
    )["last"]
    return released


def _to_draft(issue: Issue) -> None:
    """As `approval.reopen`, in this transaction."""
    if (snapshot := getattr(issue, "snapshot", None)) is not None:
        snapshot.delete()
    issue.state, issue.approves_itself = State.DRAFT, False
    issue_reasons.set_reason(issue, LOOK_AGAIN)
    issue.approved_by = issue.approved_at = issue.scheduled_for = None


def _runs(now: datetime) -> Iterator[Finding]:
    """The times of last runs, which delay the next ones."""
    ahead = CadenceOffer.objects.filter(Q(last_run_at__gt=now) | Q(runs_after__gt=now))
    count = ahead.update(last_run_at=None, runs_after=now)
    if count:
        yield Finding(
            f"{count} cadences ran last at a time to come: they would have no digest until then.",
            "Their next digest comes at the next hour of their schedule.",
        )


def _past_times(now: datetime) -> Iterator[Finding]:
    """Past times of issues, by which they expire or count as late."""
    ahead: set[int] = set()
    for name in PAST_TIMES:
        ahead |= _set_to_now(Issue.objects.all(), name, now)
    # `scheduled_for` of a draft or scheduled issue may be in the future on purpose.
    ahead |= _set_to_now(Issue.objects.exclude(state__in=[State.DRAFT, State.SCHEDULED]), "scheduled_for", now)
    if ahead:
        yield Finding(f"{len(ahead)} issues have a past that is still to come.", "It becomes the present.")


def _set_to_now(issues: QuerySet[Issue], name: str, now: datetime) -> set[int]:
    ahead = issues.filter(**{f"{name}__gt": now})
    ids = set(ahead.values_list("pk", flat=True))
    ahead.update(**{name: now})
    return ids


def _letters(now: datetime) -> Iterator[Finding]:
    """Letters that were queued ahead of the clock. Those that leave evenly are ahead of it on purpose."""
    ahead = Letter.objects.filter(created_at__gt=now).exclude(kind__in=Letter.BULK)
    count = ahead.update(created_at=now, due_at=Least(F("due_at"), now))
    if count:
        yield Finding(f"{count} letters to readers wait for a time to come.", "They leave now.")


def _times(rows: QuerySet[Any], name: str, now: datetime, problem: str, remedy: str) -> Iterator[Finding]:
    """Set one column to now where it is in the future."""
    count = rows.filter(**{f"{name}__gt": now}).update(**{name: now})
    if count:
        yield Finding(problem.format(count=count), remedy)


def _formatted(moment: datetime) -> str:
    return f"on {moment:%d %B %Y at %H:%M} UTC"
