"""Queries over a series: the issues of one newsletter, kind and cadence, their windows and their articles."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Max, Q, QuerySet

from articles.models import Article, ArticleQuerySet
from digests import variants
from digests.models import Issue, IssueItem
from subscribers import cadences
from subscribers.models import CadenceOffer, Newsletter

# A digest catches up on stories of this age, or of two periods if those are longer.
CATCH_UP = timedelta(days=14)


def stories_of(*, newsletter: Newsletter, start: datetime | None, end: datetime) -> ArticleQuerySet:
    """Public stories of the newsletter's sections and language, first published in (start, end], oldest first."""
    language = variants.own_language(newsletter=newsletter)
    stories = Article.objects.all().released_between(start, end).in_language(language)
    sections = [section.pk for section in newsletter.sections.all()]
    return stories.filter(section__in=sections) if sections else stories


def other_issues(*, issue: Issue) -> QuerySet[Issue]:
    """The other issues of this series. One that was cancelled before it left does not count.

    Nor do those that some readers get in place of one: their stories are of its window.
    """
    series = Issue.objects.filter(newsletter=issue.newsletter_id, kind=issue.kind, cadence=issue.cadence)
    series = series.filter(instead_of__isnull=True)
    return series.exclude(pk=issue.pk).exclude(state=Issue.State.CANCELLED, planned_at__isnull=True)


def end(*, issue: Issue) -> datetime | None:
    """The end of the latest window of this series."""
    latest: datetime | None = other_issues(issue=issue).aggregate(latest=Max("window_end"))["latest"]
    return latest


def missed_stories(*, issue: Issue, offer: CadenceOffer, now: datetime) -> list[int]:
    """Ids of stories of earlier windows that no digest of this series has decided on. No later window has them.

    There are two kinds. Some were in a digest that was cancelled before it left, after a later one had been
    composed. Others were withdrawn when their digest was composed, and are public again. A story that a digest
    included or left out is decided, and one that is older than two periods is no longer news.
    """
    start, end = issue.window_start or now, issue.window_end or now
    lost = Issue.objects.filter(
        newsletter=issue.newsletter_id, kind=issue.kind, cadence=issue.cadence,
        state=Issue.State.CANCELLED, planned_at__isnull=True, instead_of__isnull=True,
    )  # fmt: skip
    decided = IssueItem.objects.filter(issue__in=other_issues(issue=issue)).values("article")
    cancelled = Q(pk__in=IssueItem.objects.filter(included=True, issue__in=lost).values("article"))
    back = Q(pk__in=Article.objects.all().back_between(start, end), first_published_at__gt=offer.active_since)
    oldest = now - max(CATCH_UP, 2 * cadences.rhythm(offer.cadence).length)
    stories = stories_of(newsletter=issue.newsletter, start=oldest, end=start)
    return list(stories.filter(cancelled | back).exclude(pk__in=decided).values_list("pk", flat=True))
