"""A copy leaves at its reader's hour, where the reader is; what could not leave then comes with the next issue."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from hypothesis import example, given
from hypothesis import strategies as st

from digests import local_hours
from digests.local_hours import Place
from digests.models import Delivery, Issue
from digests.sending import claims, preparing, sweeper
from digests.sending.tests.conftest import frozen_issue, subscribe
from subscribers import schedules
from subscribers.models import Cadence, Newsletter, Subscriber, Subscription

BERLIN = Newsletter(name="Morning", time_zone="Europe/Berlin")
ZONES = ["", "Asia/Bishkek", "Pacific/Auckland", "America/New_York", "Pacific/Kiritimati", "Australia/Lord_Howe"]
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def run_of(day: date) -> Issue:
    """The daily digest of 07:00 in Berlin."""
    at = schedules.instant(day=day, hour=time(7), zone=ZoneInfo("Europe/Berlin"))
    return Issue(newsletter=BERLIN, kind="digest", cadence=Cadence.DAILY, runs_at=at, scheduled_for=at)


# The days of 23 and of 25 hours in Berlin, New York and Auckland.
@example(date(2025, 3, 30), "America/New_York", 2)
@example(date(2025, 10, 26), "", 2)
@example(date(2025, 3, 8), "America/New_York", 2)
@example(date(2025, 11, 1), "America/New_York", 1)
@example(date(2025, 9, 27), "Pacific/Auckland", None)
@given(st.dates(date(2024, 1, 1), date(2027, 12, 31)), st.sampled_from(ZONES), st.none() | st.integers(0, 23))
def test_each_digest_leaves_once_at_the_readers_hour_within_a_day(day: date, zone: str, hour: int | None) -> None:
    place, here = Place(zone, hour), ZoneInfo(zone or "Europe/Berlin")
    moments = []
    for issue in (run_of(day), run_of(day + DAY), run_of(day + 2 * DAY)):
        assert issue.runs_at is not None
        moment = local_hours.leaves_at(issue=issue, place=place, now=issue.runs_at)
        # Summer time that begins elsewhere on another day may put it before its issue; then it leaves with that.
        assert issue.runs_at - 2 * HOUR <= moment <= issue.runs_at + DAY + 2 * HOUR
        wanted = time(7 if hour is None else hour)
        assert moment == schedules.instant(day=moment.astimezone(here).date(), hour=wanted, zone=here)
        moments.append(moment.astimezone(here).date())
    assert len(set(moments)) == len(moments), "never two on one day"


@pytest.mark.parametrize(
    ("now", "quiet", "leaves"),
    [
        ("2025-05-06T21:30Z", (22, 7), "2025-05-07T05:00Z"),
        ("2025-05-06T04:59Z", (22, 7), "2025-05-06T05:00Z"),
        ("2025-05-06T05:00Z", (22, 7), "2025-05-06T05:00Z"),
        ("2025-05-06T11:00Z", (12, 14), "2025-05-06T12:00Z"),
        ("2025-05-06T11:00Z", (None, None), "2025-05-06T11:00Z"),
    ],
)
def test_a_story_at_once_waits_for_the_end_of_quiet_hours(
    now: str, quiet: tuple[int | None, int | None], leaves: str
) -> None:
    issue, at = Issue(newsletter=BERLIN, kind="article", cadence=Cadence.INSTANT), datetime.fromisoformat(now)
    assert local_hours.leaves_at(issue=issue, place=Place("", None, *quiet), now=at) == datetime.fromisoformat(leaves)


@pytest.fixture
def issue(newsletter: Newsletter) -> Issue:
    """A digest that is due now, for a reader who chose nothing and two who want it at an hour of theirs."""
    readers = [row.subscriber for row in subscribe(newsletter, 3)]
    later = (timezone.now() + 3 * HOUR).astimezone(UTC).hour
    for reader in readers[1:]:
        Subscriber.objects.filter(pk=reader.pk).update(time_zone="UTC", mail_hour=later)
    issue = frozen_issue(newsletter)
    assert preparing.prepare(issue_id=issue.pk, now=timezone.now())
    return issue


@pytest.mark.django_db
def test_one_plan_puts_each_copy_off_to_its_hour_and_lanes_leave_it_until_then(issue: Issue) -> None:
    waiting = issue.deliveries.filter(state=Delivery.State.DEFERRED, reason="readers_hour")
    assert waiting.count() == 2
    assert {copy.due_at.minute for copy in waiting if copy.due_at} == {0}
    batch = claims.claim(issue_id=issue.pk, after=0, limit=10)
    assert batch is not None
    assert len(batch.ids) == 1
    waiting.update(due_at=Now() - timedelta(minutes=5))
    batch = claims.claim(issue_id=issue.pk, after=0, limit=10)
    assert batch is not None
    assert len(batch.ids) == 2


@pytest.mark.django_db
def test_a_copy_that_missed_its_hour_leaves_at_no_other_and_its_reader_catches_up(issue: Issue) -> None:
    first, second = issue.deliveries.filter(state=Delivery.State.DEFERRED).order_by("pk")
    Delivery.objects.filter(pk=first.pk).update(due_at=Now() - timedelta(hours=4))
    Issue.objects.filter(pk=issue.pk).update(started_at=Now() - timedelta(hours=60))
    claims.claim(issue_id=issue.pk, after=0, limit=10)
    first.refresh_from_db()
    assert first.state == Delivery.State.DEFERRED, "no lane takes it"
    sweeper.sweep(now=timezone.now())
    sweeper.wake(issue_id=issue.pk, now=timezone.now())
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.reason) == ("suppressed", "hour_missed")
    assert second.state == Delivery.State.DEFERRED, "nobody gives up what waits for its hour"
    late = Subscription.objects.filter(out_of_step_since__isnull=False)
    assert [row.subscriber_id for row in late] == [first.subscriber_id]
