"""What former issues and the readers say about this one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from digests.freezing import Prepared
from digests.models import EventKind, Issue, IssueEventCount, IssueItem, IssueOutcome
from digests.preflight.findings import Finding, finding
from digests.states import DeliveryState
from publication import formatting
from subscribers import unmailed

# The latest issues that are compared.
LATEST: Final = 5
ALIKE: Final = 10
# Percent of the copies. Google asks senders to stay below 0.1 and never to reach 0.3.
COMPLAINTS, BOUNCES = 0.1, 2.0
# With fewer copies than this, one reader decides the rate.
LEAST_COPIES: Final = 500
FACTOR: Final = 2


def check(*, issue: Issue, prepared: Prepared, now: datetime) -> Iterator[Finding]:
    """Repetition, rates and the audience."""
    yield from _repeated(issue, prepared)
    yield from _rates(_series(issue))
    yield from _audience(issue, now)


def last_audience(*, issue: Issue) -> int | None:
    """The audience of the last planned issue of the same kind and cadence; None for the first one."""
    last = _series(issue).order_by("-planned_at").first()
    return last.audience_count if last else None


def is_unusual(*, audience: int, last: int | None) -> bool:
    """True if a person must confirm the audience. The first issue of a series has nothing to compare with."""
    return last is not None and audience > FACTOR * last


def _series(issue: Issue) -> QuerySet[Issue]:
    """The former issues of its kind and cadence."""
    return _alike(issue).exclude(pk=issue.pk)


def _alike(issue: Issue) -> QuerySet[Issue]:
    """Those and the issue itself, as far as they were planned; of a letter to a segment, those to the same one."""
    planned = Issue.objects.filter(newsletter=issue.newsletter_id, corrects=None, planned_at__isnull=False)
    return planned.filter(
        kind=issue.kind, cadence=issue.cadence, segment=issue.segment_id, audience_count__isnull=False
    )


def _repeated(issue: Issue, prepared: Prepared) -> Iterator[Finding]:
    former = Issue.objects.filter(newsletter=issue.newsletter_id, planned_at__isnull=False).exclude(pk=issue.pk)
    latest = list(former.select_related("snapshot").order_by("-planned_at")[:ALIKE])
    subject = prepared.snapshot.subject
    if any(getattr(other, "snapshot", None) and other.snapshot.subject == subject for other in latest):
        yield finding("same_subject", _("A former issue had the same subject: “%(subject)s”."), subject=subject)
    stories = _stories(issue)
    for other in latest:
        if _stories(other) == stories and other.introduction.strip() == issue.introduction.strip():
            text = _("Issue no. %(number)s had the same content. Its readers would get it twice.")
            yield finding("same_content", text, number=other.number)
            return


def _stories(issue: Issue) -> frozenset[int]:
    return frozenset(IssueItem.objects.filter(issue=issue, included=True).values_list("article", flat=True))


def over_the_limit() -> Iterator[tuple[int, str, str]]:
    """Newsletter, its name and a sentence, for each series whose last issues had too many complaints or bounces."""
    ended = Issue.objects.filter(finished_at__isnull=False, audience_count__isnull=False, corrects=None)
    ways = ("newsletter_id", "kind", "cadence", "segment_id")
    series = ended.order_by(*ways).distinct(*ways)
    for issue in series.select_related("newsletter"):
        for one in _rates(_alike(issue)):
            yield issue.newsletter_id, issue.newsletter.name, one.text


def _rates(series: QuerySet[Issue]) -> Iterator[Finding]:
    latest = list(series.filter(finished_at__isnull=False).order_by("-planned_at")[:LATEST])
    copies = _sum(IssueOutcome.objects.filter(issue__in=latest), "copies")
    if copies < LEAST_COPIES:
        return
    reported = IssueEventCount.objects.filter(issue__in=latest)
    complaints = 100 * _sum(reported.filter(kind=EventKind.COMPLAINT), "events") / copies
    refused = IssueOutcome.objects.filter(issue__in=latest, state=DeliveryState.REJECTED)
    bounces = 100 * _sum(refused, "copies") / copies
    values = {"issues": len(latest)}
    if complaints >= COMPLAINTS:
        text = _("Of the last %(issues)s issues %(percent)s %% of the copies were marked as spam. 0.3 %% is too many.")
        yield finding("complaints", text, percent=f"{complaints:.2f}", **values)
    if bounces >= BOUNCES:
        text = _("Of the last %(issues)s issues %(percent)s %% of the copies were refused. Clean the list first.")
        yield finding("bounces", text, percent=f"{bounces:.1f}", **values)


def _sum(rows: QuerySet[IssueOutcome] | QuerySet[IssueEventCount], column: str) -> int:
    return int(rows.aggregate(sum=Sum(column))["sum"] or 0)


def _audience(issue: Issue, now: datetime) -> Iterator[Finding]:
    audience, last = issue.readers(now=now).count(), last_audience(issue=issue)
    values = {"audience": formatting.number(audience), "last": formatting.number(last or 0)}
    if not audience:
        yield finding("nobody", _("Nobody would get it now."))
    elif is_unusual(audience=audience, last=last):
        yield finding("audience_grew", _("%(audience)s readers would get it; the last one had %(last)s."), **values)
    elif last and audience * FACTOR < last:
        text = ngettext(
            "Only %(audience)s reader would get it; the last one had %(last)s.",
            "Only %(audience)s readers would get it; the last one had %(last)s.",
            audience,
        )
        yield finding("audience_fell", text, **values)
    if sentence := str(unmailed.among(issue.subscriptions(), now=now)):
        yield finding("left_out", sentence)
