"""When an issue may leave: its hours, and the age at which it is reported instead of sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from digests.models import Issue
from digests.sending import lanes, preparing, sweeper
from digests.sending.pacing import windows
from digests.sending.tests.conftest import ScriptedTransport, frozen_issue, states, subscribe
from subscribers.models import Newsletter
from tests.table import rows

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]
Pace = Callable[..., None]


def late(issue: Issue, by: timedelta) -> datetime:
    """The hour at which the issue has waited that long."""
    assert issue.scheduled_for is not None
    return issue.scheduled_for + by


@rows("kind", [Issue.Kind.DIGEST, Issue.Kind.ARTICLE])
def test_a_stale_issue_is_reported_and_reaches_nobody(newsletter: Newsletter, kind: Issue.Kind) -> None:
    subscribe(newsletter, 2)
    issue = frozen_issue(newsletter)
    Issue.objects.filter(pk=issue.pk).update(kind=kind)
    assert preparing.prepare(issue_id=issue.pk, now=late(issue, timedelta(hours=25))) is False
    issue.refresh_from_db()
    reason = preparing.STALE_DIGEST if kind == Issue.Kind.DIGEST else preparing.STALE
    assert (issue.state, issue.state_reason) == (Issue.State.CANCELLED, reason)
    assert not issue.deliveries.exists()


def test_a_digest_that_is_only_late_is_sent(newsletter: Newsletter) -> None:
    subscribe(newsletter, 2)
    issue = frozen_issue(newsletter)
    assert preparing.prepare(issue_id=issue.pk, now=late(issue, timedelta(hours=23))) is True


def test_a_letter_is_never_stale(newsletter: Newsletter) -> None:
    issue = frozen_issue(newsletter)
    Issue.objects.filter(pk=issue.pk).update(cadence="", kind=Issue.Kind.LETTER)
    assert preparing.prepare(issue_id=issue.pk, now=late(issue, timedelta(days=30))) is True


def test_a_person_who_approves_late_has_decided(newsletter: Newsletter) -> None:
    issue = frozen_issue(newsletter)
    Issue.objects.filter(pk=issue.pk).update(scheduled_for=timezone.now() - timedelta(days=5))
    assert preparing.prepare(issue_id=issue.pk, now=timezone.now()) is True


def test_what_did_not_leave_in_a_day_is_given_up_and_listed(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(60)
    issue.deliveries.filter(pk__in=issue.deliveries.values("pk")[:10]).update(state="accepted")
    Issue.objects.filter(pk=issue.pk).update(started_at=timezone.now() - timedelta(hours=25))
    assert sweeper.wake(issue_id=issue.pk, now=timezone.now()) is False
    issue.refresh_from_db()
    assert states(issue) == {"accepted": 10, "expired": 50}
    assert (issue.state, issue.reason_sentence) == (Issue.State.SENT_WITH_EXCEPTIONS, "50 expired")


@rows(
    ("hours", "zone", "now", "is_open"),
    [
        (None, "UTC", "03:00", True),
        ((time(7), time(21)), "UTC", "06:59", False),
        ((time(7), time(21)), "UTC", "07:00", True),
        ((time(7), time(21)), "UTC", "21:00", False),
        ((time(7), time(21)), "Asia/Bishkek", "01:30", True),
        ((time(22), time(5)), "UTC", "23:00", True),
        ((time(22), time(5)), "UTC", "04:59", True),
        ((time(22), time(5)), "UTC", "12:00", False),
    ],
)
def test_the_hours_are_those_of_the_newsletter(
    newsletter: Newsletter, pace: Pace, hours: Any, zone: str, now: str, is_open: bool
) -> None:
    pace(hours=hours)
    newsletter.time_zone = zone
    issue = Issue(newsletter=newsletter)
    instant = datetime.combine(datetime(2025, 5, 6, tzinfo=UTC), time.fromisoformat(now), tzinfo=UTC)
    assert windows.is_open(issue=issue, now=instant) is is_open


def closed_now() -> tuple[time, time]:
    """Hours that begin in an hour and end in two."""
    now = timezone.now()
    return (now + timedelta(hours=1)).time(), (now + timedelta(hours=2)).time()


def test_outside_its_hours_an_issue_waits_as_it_is(newsletter: Newsletter, pace: Pace) -> None:
    pace(hours=closed_now())
    subscribe(newsletter, 1)
    issue = frozen_issue(newsletter)
    assert preparing.prepare(issue_id=issue.pk, now=timezone.now()) is False
    issue.refresh_from_db()
    assert issue.state == Issue.State.SCHEDULED
    assert preparing.prepare(issue_id=issue.pk, now=timezone.now() + timedelta(minutes=90)) is True


def test_a_lane_stops_when_the_hours_end(sending: Start, transport: ScriptedTransport, pace: Pace) -> None:
    issue = sending(120)
    transport.before = lambda _copies: pace(hours=closed_now())
    assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.PACED
    assert states(issue) == {"accepted": 50, "pending": 70}


def test_closed_hours_do_not_make_an_issue_stale(newsletter: Newsletter, pace: Pace) -> None:
    pace(hours=(time(7), time(9)))
    issue = frozen_issue(newsletter)
    assert windows.is_stale(issue=issue, now=late(issue, timedelta(hours=45))) is False
    assert windows.is_stale(issue=issue, now=late(issue, timedelta(hours=47))) is True


@rows(
    ("cadence", "most_hours", "age", "is_over"),
    [
        # A day for a daily one, or MAX_AGE_HOURS if that is more; a weekly one has its own time.
        ("daily", 1, timedelta(hours=23), False),
        ("daily", 1, timedelta(hours=25), True),
        ("daily", 48, timedelta(hours=47), False),
        ("daily", 48, timedelta(hours=49), True),
        ("", 1, timedelta(days=90), False),
    ],
)
def test_when_what_has_not_left_is_given_up(
    newsletter: Newsletter, settings: Any, cadence: str, most_hours: int, age: timedelta, is_over: bool
) -> None:
    settings.SENDING = replace(settings.SENDING, max_age_hours=most_hours)
    now = timezone.now()
    issue = Issue(newsletter=newsletter, cadence=cadence, started_at=now - age)
    assert windows.is_over(issue=issue, now=now) is is_over


def test_closed_hours_do_not_count_against_what_has_begun(newsletter: Newsletter, pace: Pace, settings: Any) -> None:
    settings.SENDING = replace(settings.SENDING, max_age_hours=24)
    pace(hours=(time(7), time(9)))
    now = timezone.now()
    issue = Issue(newsletter=newsletter, cadence="daily", started_at=now - timedelta(hours=45))
    assert windows.is_over(issue=issue, now=now) is False
    assert windows.is_over(issue=issue, now=now + timedelta(hours=2)) is True
