"""After the send: what came back of an issue, and how often its links were followed. Numbers only, no person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Sum
from django.db.models.functions import TruncHour

from digests import stats
from digests.models import Delivery, EventKind, Issue, IssueEventCount, LinkCount
from subscribers.models import Subscription

# Who unsubscribes later than this did so for another reason, or after another issue.
LEAVING: Final = timedelta(days=7)
# Clicks of later hours are in the sums, and not in the chart.
HOURS: Final = 72
MOST_LINKS: Final = 100


@dataclass(frozen=True, slots=True)
class LinkFigure:
    """One link, and how often it was followed."""

    url: str
    people: int
    machines: int

    @property
    def name(self) -> str:
        """As an editor knows it: the path of a page of ours, or the whole address of another."""
        return self.url.removeprefix(settings.SITE_URL)


@dataclass(frozen=True, slots=True)
class Hour:
    """The clicks of people within one hour (UTC)."""

    hour: datetime
    people: int


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is known after the send. `left` is None once the copies were dropped. `is_counting`: links are counted."""

    accepted: int
    hard_bounces: int
    soft_bounces: int
    complaints: int
    left: int | None
    links: tuple[LinkFigure, ...]
    hours: tuple[Hour, ...]
    is_counting: bool

    @property
    def clicks(self) -> int:
        return sum(link.people for link in self.links)


def of(*, issue: Issue, progress: stats.Progress) -> Aftermath:
    """The figures of an issue of which something has left, and whose copies were counted."""
    events = dict(IssueEventCount.objects.filter(issue=issue).values_list("kind", "events"))
    counts = LinkCount.objects.filter(issue=issue)
    sums = counts.values("url").annotate(people=Sum("people"), machines=Sum("machines"))
    by_hour = counts.values(at=TruncHour("hour")).annotate(people=Sum("people")).order_by("at")[:HOURS]
    return Aftermath(
        accepted=progress.by_state[Delivery.State.ACCEPTED],
        hard_bounces=events.get(EventKind.HARD_BOUNCE, 0),
        soft_bounces=events.get(EventKind.SOFT_BOUNCE, 0),
        complaints=events.get(EventKind.COMPLAINT, 0),
        left=_left(issue),
        links=tuple(
            LinkFigure(row["url"], row["people"], row["machines"])
            for row in sums.order_by("-people", "-machines", "url")[:MOST_LINKS]
        ),
        hours=tuple(Hour(row["at"], row["people"]) for row in by_hour),
        is_counting=issue.newsletter.counts_clicks or counts.exists(),
    )


def _left(issue: Issue) -> int | None:
    """Readers with a copy who unsubscribed from its newsletter soon after it began to leave."""
    if issue.started_at is None or stats.is_dropped(issue):
        return None
    span = (issue.started_at, issue.started_at + LEAVING)
    # The few who left, then their copies: both by an index.
    leaving = Subscription.objects.filter(
        newsletter_id=issue.newsletter_id, state=Subscription.State.UNSUBSCRIBED, unsubscribed_at__range=span
    ).values_list("subscriber_id", flat=True)
    return Delivery.objects.filter(issue=issue, state=Delivery.State.ACCEPTED, subscriber_id__in=list(leaving)).count()
