"""The hour at which a copy leaves: the reader's own, where the reader is.

An issue is composed and planned once. Each copy leaves when it is next the reader's hour in the reader's zone after the
hour that the issue was meant for, so within a day, and in one go for all who share zone and hour.
Readers who chose nothing get it at once, as everybody in the newsletter's own zone who chose no other hour. A story
that is sent at once waits for the end of a reader's quiet hours.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count

from digests.models import Issue
from subscribers import schedules
from subscribers.guards import CHOSE_HOURS, HOURS_OF_READERS
from subscribers.models import Cadence, Subscriber, SubscriptionQuerySet

DAY: Final = timedelta(days=1)


class Place(NamedTuple):
    """What a reader chose: a zone (empty: the newsletter's), an hour (None: the newsletter's), and quiet hours."""

    time_zone: str = ""
    mail_hour: int | None = None
    quiet_from: int | None = None
    quiet_until: int | None = None


class Span(NamedTuple):
    """The first and the last copies of an issue, the number of zones, and of readers who wait for their hour."""

    first: datetime
    last: datetime
    zones: int
    waiting: int


def chosen() -> list[Place]:
    """All places that readers chose."""
    rows = Subscriber.objects.filter(CHOSE_HOURS).order_by().values_list(*HOURS_OF_READERS).distinct()
    return [Place(*row) for row in rows]


def zone_of(*, issue: Issue, place: Place) -> ZoneInfo:
    """Where the reader is; one whose zone this machine no longer knows is where the newsletter is."""
    return schedules.zone_named(place.time_zone) or ZoneInfo(issue.newsletter.time_zone)


def leaves_at(*, issue: Issue, place: Place, now: datetime) -> datetime:
    """When the copy of a reader at this place leaves (UTC); `now`, or before it, means at once."""
    home = ZoneInfo(issue.newsletter.time_zone)
    zone = zone_of(issue=issue, place=place)
    if issue.cadence == Cadence.INSTANT:
        return _after_quiet_hours(place, zone, now)
    if not issue.cadence:
        return now
    meant_for = meant(issue=issue, now=now)
    there = meant_for.astimezone(home).replace(tzinfo=None)
    hour = there.time() if place.mail_hour is None else time(place.mail_hour)
    # Which day that is does not depend on summer time, which begins in no two zones at once: a digest a day would
    # come twice on one day, and on another not at all. So a copy may be due an hour before its issue, and leaves late.
    earliest = there - _standard(home, meant_for)
    days = (there.date() + days for days in (-DAY, timedelta(), DAY, 2 * DAY))
    day = next(day for day in days if datetime.combine(day, hour) - _standard(zone, meant_for) >= earliest)
    return schedules.instant(day=day, hour=hour, zone=zone)


def meant(*, issue: Issue, now: datetime) -> datetime:
    """The moment of which the hours count: that of its run, or when it leaves if that is too much later, or by hand."""
    leaves = max(filter(None, [issue.scheduled_for, issue.started_at]), default=now)
    run = issue.runs_at if issue.instead_of is None else issue.instead_of.runs_at
    return run if run is not None and leaves - run <= late() else leaves


def late() -> timedelta:
    """How much later than at its reader's hour a copy may leave."""
    return timedelta(hours=settings.SENDING.late_hours)


def turns(*, issue: Issue, now: datetime) -> list[tuple[Place, datetime]]:
    """The places whose copies do not leave at once, and when they leave."""
    if not issue.cadence:
        return []
    hours = [(place, leaves_at(issue=issue, place=place, now=now)) for place in chosen()]
    return [(place, moment) for place, moment in hours if moment > now]


def span(*, issue: Issue, readers: SubscriptionQuerySet, now: datetime) -> Span | None:
    """When copies to these readers would leave; None if all leave at once."""
    at_their_hour = readers.filter(subscriber__in=Subscriber.objects.filter(CHOSE_HOURS)).order_by()
    columns = [f"subscriber__{name}" for name in HOURS_OF_READERS]
    counted = at_their_hour.values_list(*columns).annotate(readers=Count("pk"))
    places = [(Place(*row[:4]), row[4]) for row in counted]
    return _span(issue, places, readers.count(), now)


def _span(issue: Issue, places: Iterable[tuple[Place, int]], everybody: int, now: datetime) -> Span | None:
    hours = [(place, leaves_at(issue=issue, place=place, now=now), number) for place, number in places]
    later = [(place, moment, number) for place, moment, number in hours if moment > now]
    if not later:
        return None
    waiting = sum(number for _place, _moment, number in later)
    moments = [moment for _place, moment, _number in later]
    zones = {place.time_zone or issue.newsletter.time_zone for place, _moment, _number in hours}
    if waiting < everybody:
        moments.append(now)
        zones.add(issue.newsletter.time_zone)
    return Span(min(moments), max(moments), len(zones), waiting)


def _after_quiet_hours(place: Place, zone: ZoneInfo, now: datetime) -> datetime:
    if place.quiet_from is None or place.quiet_until is None:
        return now
    hour = now.astimezone(zone).hour
    begins, ends = place.quiet_from, place.quiet_until
    is_quiet = begins <= hour < ends if begins < ends else hour >= begins or hour < ends
    return _next(time(ends), zone, now) if is_quiet else now


def _standard(zone: ZoneInfo, moment: datetime) -> timedelta:
    """How far the zone is ahead of UTC without its summer time."""
    there = moment.astimezone(zone)
    return (there.utcoffset() or timedelta()) - (there.dst() or timedelta())


def _next(hour: time, zone: ZoneInfo, moment: datetime) -> datetime:
    """The first instant of this local hour that is not before the moment."""
    today = moment.astimezone(zone).date()
    instants = (schedules.instant(day=today + days, hour=hour, zone=zone) for days in (timedelta(), DAY, 2 * DAY))
    return next(instant for instant in instants if instant >= moment).astimezone(UTC)
