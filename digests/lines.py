"""A line: the issues of one newsletter, kind and cadence. Which stories are its own, and how far its windows reach."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Max, Q, QuerySet

from articles.models import Article, ArticleQuerySet
from digests.models import Issue, IssueItem
from subscribers import cadences
from subscribers.models import CadenceOffer, Newsletter

# How old a story may be that a digest makes up for, where two periods are shorter.
OWED_FOR = timedelta(days=14)


def stories_of(*, newsletter: Newsletter, start: datetime | None, end: datetime) -> ArticleQuerySet:
    """Public stories of the newsletter's sections, first published in (start, end], oldest first."""
    stories = Article.objects.all().released_between(start, end)
    sections = list(newsletter.sections.values_list("pk", flat=True))
    return stories.filter(section__in=sections) if sections else stories


def others(*, issue: Issue) -> QuerySet[Issue]:
    """The other issues of this line; one that was cancelled before it left does not count."""
    line = Issue.objects.filter(newsletter=issue.newsletter_id, kind=issue.kind, cadence=issue.cadence)
    return line.exclude(pk=issue.pk).exclude(state=Issue.State.CANCELLED, planned_at__isnull=True)


def end(*, issue: Issue) -> datetime | None:
    """Where the windows of this line end so far."""
    latest: datetime | None = others(issue=issue).aggregate(latest=Max("window_end"))["latest"]
    return latest


def owed(*, issue: Issue, offer: CadenceOffer, now: datetime) -> list[int]:
    """Ids of stories of earlier windows that no digest of this line decided, and no later window would have.

    Either they stood in a digest that was cancelled before it left, after a later one had been composed; or
    they were withdrawn when their digest was composed, and are public again. Whatever stands in a digest
    that counts, taken or left out, is owed to nobody, and a story that is older than two periods is news no longer.
    """
    start, end = issue.window_start or now, issue.window_end or now
    lost = Issue.objects.filter(
        newsletter=issue.newsletter_id, kind=issue.kind, cadence=issue.cadence,
        state=Issue.State.CANCELLED, planned_at__isnull=True,
    )  # fmt: skip
    decided = IssueItem.objects.filter(issue__in=others(issue=issue)).values("article")
    cancelled = Q(pk__in=IssueItem.objects.filter(included=True, issue__in=lost).values("article"))
    back = Q(pk__in=Article.objects.all().back_between(start, end), first_published_at__gt=offer.active_since)
    oldest = now - max(OWED_FOR, 2 * cadences.rhythm(offer.cadence).length)
    stories = stories_of(newsletter=issue.newsletter, start=oldest, end=start)
    return list(stories.filter(cancelled | back).exclude(pk__in=decided).values_list("pk", flat=True))
