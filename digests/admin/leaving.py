"""When the first and the last copies of an issue leave, in words; and what some readers get in its place."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Count, Max, Min, Q
from django.utils.translation import ngettext

from digests import local_hours
from digests.delivery_reasons import DeliveryReason
from digests.models import Delivery, Issue
from publication import formatting, hours


def forecast(*, issue: Issue, now: datetime) -> str:
    """Of an issue that has not left: from when to when its copies would; empty if all leave at once."""
    span = local_hours.span(issue=issue, readers=issue.readers(now=now), now=now)
    if span is None:
        return ""
    return ngettext(
        "At each reader's own hour: from %(first)s to %(last)s, in %(zones)s zone. %(waiting)s of them wait for it.",
        "At each reader's own hour: from %(first)s to %(last)s, in %(zones)s zones. %(waiting)s of them wait for it.",
        span.zones,
    ) % {
        "first": hours.when(span.first, zone=issue.newsletter.time_zone, now=now),
        "last": hours.when(span.last, zone=issue.newsletter.time_zone, now=now),
        "zones": span.zones,
        "waiting": formatting.number(span.waiting),
    }


def waiting(*, issue: Issue, now: datetime) -> str:
    """Of an issue that is being sent: how many copies wait for their reader's hour, and until when."""
    copies = Delivery.objects.under_way().filter(Q(issue=issue) | Q(issue__instead_of=issue))
    waits = copies.filter(state=Delivery.State.DEFERRED, reason=DeliveryReason.READERS_HOUR)
    counted = waits.aggregate(number=Count("pk"), first=Min("due_at"), last=Max("due_at"))
    if not counted["number"]:
        return ""
    return ngettext(
        "%(count)s copy waits for its reader's hour: from %(first)s to %(last)s.",
        "%(count)s copies wait for their readers' hour: from %(first)s to %(last)s.",
        counted["number"],
    ) % {
        "count": formatting.number(counted["number"]),
        "first": hours.when(counted["first"], zone=issue.newsletter.time_zone, now=now),
        "last": hours.when(counted["last"], zone=issue.newsletter.time_zone, now=now),
    }


def in_its_place(*, issue: Issue) -> str:
    """How many readers get another issue in place of this one, which has what no copy had brought them."""
    others = issue.catch_ups.exclude(planned_at=None)
    readers = sum(count or 0 for count in others.values_list("audience_count", flat=True))
    if not readers:
        return ""
    return ngettext(
        "%(count)s reader who chose weekdays or changed how it comes gets in its place what no copy had brought.",
        "%(count)s readers who chose weekdays or changed how it comes get in its place what no copy had brought.",
        readers,
    ) % {"count": formatting.number(readers)}


def lines(*, issue: Issue, now: datetime) -> list[str]:
    """What the page of an issue says of this."""
    return [line for line in (waiting(issue=issue, now=now), in_its_place(issue=issue)) if line]
