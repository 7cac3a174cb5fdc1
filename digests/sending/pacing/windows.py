"""When an issue may leave: the hours of the day, and the age at which it is news no longer."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings

from digests import calendar
from digests.models import Issue
from subscribers import schedules


def is_open(*, issue: Issue, now: datetime) -> bool:
    """Whether copies of the issue may leave at this hour of its newsletter's own time zone (SEND_HOURS)."""
    hours = settings.PACING.hours
    if hours is None:
        return True
    opens, closes = hours
    local = now.astimezone(ZoneInfo(issue.newsletter.time_zone)).time()
    if opens < closes:
        return bool(opens <= local < closes)
    return bool(local >= opens or local < closes)


def opens_at(*, issue: Issue, now: datetime) -> datetime | None:
    """When the next window of the newsletter's own time zone begins (UTC); None when issues leave at any hour."""
    hours = settings.PACING.hours
    if hours is None:
        return None
    zone = ZoneInfo(issue.newsletter.time_zone)
    today = now.astimezone(zone).date()
    days = (today + timedelta(days=number) for number in range(3))
    return next(at for day in days if (at := schedules.instant(day=day, hour=hours[0], zone=zone)) > now)


def is_stale(*, issue: Issue, now: datetime) -> bool:
    """Whether the issue is too old to begin to leave.

    Its age counts from the hour it was meant for, or from its approval if a person let it leave
    later. The age allowed is that of its cadence, and hours in which nothing may leave do not
    count against it. A letter is never stale: its writer decides.
    """
    meant_for = max(filter(None, [issue.scheduled_for, issue.approved_at]), default=None)
    if not issue.cadence or meant_for is None:
        return False
    return now - meant_for > calendar.max_staleness(cadence=issue.cadence) + closed_for()


def is_over(*, issue: Issue, now: datetime) -> bool:
    """Whether what has not left of an issue that began is to be given up: its time and a day more have passed."""
    if not issue.cadence or issue.started_at is None:
        return False
    patience = max(calendar.max_staleness(cadence=issue.cadence), timedelta(hours=settings.SENDING.max_age_hours))
    return now - max(issue.started_at, issue.rest_at or issue.started_at) > patience + closed_for()


def closed_for() -> timedelta:
    """How long nothing may leave between two windows."""
    if settings.PACING.hours is None:
        return timedelta()
    opens, closes = (timedelta(hours=hour.hour, minutes=hour.minute) for hour in settings.PACING.hours)
    return (opens - closes) % timedelta(days=1)
