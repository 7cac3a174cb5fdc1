"""What is planned, due and done, day by day: stories, and the issues that take them; and what moves there."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.translation import gettext as _

from articles import permissions, publishing, review
from articles.models import Article
from articles.refusals import WrongState
from digests import moving, states
from digests import permissions as digests_permissions
from digests.models import Issue
from publication import moments
from subscribers import cadences, schedules
from subscribers.models import CadenceOffer

State = Article.State
# Of one kind in one view; more would be no calendar.
MOST: Final = 500
RUNS: Final = 45
OPEN: Final = (State.DRAFT, State.IN_REVIEW, State.APPROVED)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a day: a story or an issue. `hour` is empty where only the day is known."""

    title: str
    kind: str
    words: str
    at: datetime | None
    link: str
    move: str = ""
    # What is dropped is asked about before it moves.
    asks: bool = False

    @property
    def hour(self) -> str:
        """“07:00”, or nothing."""
        return f"{self.at:%H:%M}" if self.at else ""


@dataclass(slots=True)
class Day:
    """A day and its entries, the earliest first."""

    day: date
    is_today: bool
    is_inside: bool
    entries: list[Entry] = field(default_factory=list)


def month_days(*, year: int, month: int) -> list[date]:
    """Every day of the weeks of a month, from a Monday."""
    return [day for week in calendar.Calendar().monthdatescalendar(year, month) for day in week]


def days(*, user: User, shown: list[date], month: int | None, zone: ZoneInfo, now: datetime) -> list[Day]:
    """These days, which follow each other, with what this person may see."""
    today = now.astimezone(zone).date()
    rows = {day: Day(day, day == today, month is None or day.month == month) for day in shown}
    start = datetime.combine(shown[0], time.min, zone)
    end = datetime.combine(shown[-1] + timedelta(days=1), time.min, zone)
    for day, entry in _entries(user, start, end, zone, now):
        if day in rows:
            rows[day].entries.append(entry)
    for row in rows.values():
        row.entries.sort(key=lambda entry: (entry.at is not None, entry.hour, entry.title))
    return list(rows.values())


def move(*, article: Article, day: date, actor: User, now: datetime) -> None:
    """Move a story to a day: a scheduled one keeps its hour of the day, one that is not out is planned for it.

    On failure: PublishingError, and nothing has changed.
    """
    if article.state == State.SCHEDULED and article.publish_at is not None:
        zone = moments.zone()
        hour = article.publish_at.astimezone(zone).time()
        moment = schedules.instant(day=day, hour=hour, zone=zone)
        publishing.schedule(article=article, publish_at=moment, actor=actor, now=now)
    elif article.state in OPEN:
        review.plan(article=article, day=day, actor=actor, now=now)
    else:
        raise WrongState(_("This story is out, so its day cannot be moved."))


def moved(*, issue: Issue, day: date, zone: ZoneInfo) -> datetime:
    """The issue's hour, were it on this day of a calendar in `zone`: readers get it at the same hour of theirs."""
    if issue.scheduled_for is None:
        raise moving.NotAllowed(_("This issue has no hour yet. Set it on the issue's page."))
    own = ZoneInfo(issue.newsletter.time_zone)
    local = issue.scheduled_for.astimezone(own)
    distance = day - issue.scheduled_for.astimezone(zone).date()
    return schedules.instant(day=local.date() + distance, hour=local.time(), zone=own)


def _entries(user: User, start: datetime, end: datetime, zone: ZoneInfo, now: datetime) -> Iterator[tuple[date, Entry]]:
    yield from _stories(user, start, end, zone)
    if user.has_perm("digests.view_issue"):
        yield from _issues(user, start, end, zone)
        yield from _runs(start, end, zone, now)


def _stories(user: User, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[tuple[date, Entry]]:
    stories = permissions.visible_to(user).only("headline", "state", "publish_at", "published_at", "planned_for")
    for story in stories.filter(state=State.SCHEDULED, publish_at__gte=start, publish_at__lt=end)[:MOST]:
        if story.publish_at:
            local = story.publish_at.astimezone(zone)
            yield local.date(), _story(story, "scheduled", local, can_move=user.has_perm(permissions.PUBLISH))
    for story in stories.filter(state=State.PUBLISHED, published_at__gte=start, published_at__lt=end)[:MOST]:
        if story.published_at:
            local = story.published_at.astimezone(zone)
            yield local.date(), _story(story, "published", local, can_move=False)
    planned = stories.filter(state__in=OPEN, planned_for__gte=start.date(), planned_for__lt=end.date())
    for story in planned[:MOST]:
        if story.planned_for:
            can_move = user.has_perm(permissions.EDIT_ANY) or story.state == State.DRAFT
            yield story.planned_for, _story(story, "planned", None, can_move=can_move)


def _story(story: Article, kind: str, at: datetime | None, *, can_move: bool) -> Entry:
    return Entry(
        title=story.headline,
        kind=kind,
        words=str(story.get_state_display()),
        at=at,
        link=reverse("admin:articles_article_change", args=[story.pk]),
        move=reverse("desk:calendar_move", args=[story.pk]) if can_move else "",
    )


def _issues(user: User, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[tuple[date, Entry]]:
    mine = digests_permissions.issues_of(Issue.objects.all(), user=user)
    issues = mine.select_related("newsletter", "snapshot").defer("introduction")
    waiting = issues.exclude(state__in=states.FINISHED).filter(scheduled_for__gte=start, scheduled_for__lt=end)
    ended = issues.filter(finished_at__gte=start, finished_at__lt=end, planned_at__isnull=False)
    for issue in [*waiting[:MOST], *ended[:MOST]]:
        moment = issue.finished_at or issue.scheduled_for
        if moment is not None:
            local = moment.astimezone(zone)
            yield local.date(), _issue(issue, local, user)


def _issue(issue: Issue, at: datetime, user: User) -> Entry:
    is_approved = issue.state == Issue.State.SCHEDULED
    can_move = issue.state in moving.MOVABLE and user.has_perm(moving.right(issue=issue))
    return Entry(
        title=str(issue),
        kind="issue",
        words=str(issue.get_state_display()),
        at=at,
        link=reverse("admin:digests_issue_change", args=[issue.pk]),
        move=reverse("desk:calendar_move_issue", args=[issue.pk]) if can_move else "",
        asks=is_approved,
    )


def _runs(start: datetime, end: datetime, zone: ZoneInfo, now: datetime) -> Iterator[tuple[date, Entry]]:
    """The next digests by their schedule."""
    offers = CadenceOffer.objects.filter(is_active=True, cadence__in=cadences.DIGESTS).select_related("newsletter")
    for offer in offers:
        link = reverse("desk:newsletter", args=[offer.newsletter_id])
        for run in schedules.upcoming(offer=offer, now=max(now, start), number=RUNS):
            if run >= end:
                break
            local = run.astimezone(zone)
            yield local.date(), Entry(str(offer), "run", _("Next digest"), local, link)
