"""What a reader who thinks of signing up is shown of a newsletter: when it comes, how much that was, the last issue.

The number of queries is the same for every number of newsletters, issues and stories.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery

from core import page_tags
from digests import archive
from digests.models import Issue
from subscribers import cadences
from subscribers.models import CadenceOffer, Newsletter

WEEKS: Final = 8
WEEK: Final = timedelta(weeks=1)
# Headlines of the last issue.
HEADLINES: Final = 5


@dataclass(frozen=True, slots=True)
class Coming:
    """One cadence in words, and how many mails a week it brought in the last whole `weeks`; 0 weeks: too new to say."""

    in_words: str
    weeks: int
    a_week: float


@dataclass(frozen=True, slots=True)
class Shown:
    """One newsletter as its page shows it. `last` is its last public issue, if there is one."""

    newsletter: Newsletter
    coming: list[Coming]
    last: Issue | None


def shown(*, newsletters: QuerySet[Newsletter], now: datetime) -> list[Shown]:
    """Each of the newsletters, in their order."""
    active = CadenceOffer.objects.filter(is_active=True).order_by(cadences.in_order())
    last = Issue.objects.listed().filter(newsletter=OuterRef("pk")).order_by("-number").values("pk")[:1]
    rows = list(
        newsletters.annotate(last_issue=Subquery(last)).prefetch_related(Prefetch("offers", active), "sections")
    )
    # The weeks that are counted pass though nothing is sent.
    page_tags.this_hour(now)
    page_tags.add(*(f"newsletter:{row.pk}" for row in rows))
    mails = _mails(rows, now)
    issues = archive.briefly(Issue.objects.all()).in_bulk([row.last_issue for row in rows if row.last_issue])
    return [
        Shown(
            newsletter=row,
            coming=[_coming(offer, mails, now) for offer in row.offers.all()],
            last=issues.get(row.last_issue or 0),
        )
        for row in rows
    ]


def a_week(*, newsletters: Sequence[Newsletter], now: datetime) -> dict[tuple[int, str], float]:
    """How many mails a week each newsletter and cadence brought; one that is too new to say is left out."""
    mails = _mails(newsletters, now)
    offers = CadenceOffer.objects.filter(is_active=True, newsletter__in=newsletters)
    measured = [(offer, _measured(offer, mails, now)) for offer in offers]
    return {(offer.newsletter_id, offer.cadence): number for offer, (weeks, number) in measured if weeks}


def _mails(newsletters: Sequence[Newsletter], now: datetime) -> Counter[tuple[int, str]]:
    """How many issues were sent to the readers of each newsletter and cadence; an empty cadence: to all of them."""
    issues = Issue.objects.listed().filter(
        newsletter__in=newsletters, planned_at__gt=now - WEEKS * WEEK, corrects__isnull=True
    )
    counted = issues.order_by().values_list("newsletter", "cadence").annotate(number=Count("pk"))
    return Counter({(newsletter, cadence): number for newsletter, cadence, number in counted})


def _coming(offer: CadenceOffer, mails: Counter[tuple[int, str]], now: datetime) -> Coming:
    weeks, number = _measured(offer, mails, now)
    return Coming(in_words=offer.in_words(), weeks=weeks, a_week=number)


def _measured(offer: CadenceOffer, mails: Counter[tuple[int, str]], now: datetime) -> tuple[int, float]:
    """The whole weeks that were counted, and the mails in one of them."""
    weeks = min(WEEKS, (now - offer.active_since) // WEEK)
    number = mails[offer.newsletter_id, offer.cadence] + mails[offer.newsletter_id, ""]
    return weeks, number / weeks if weeks else 0
