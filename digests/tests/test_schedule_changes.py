"""A change of hour, weekday or zone acts forward: nothing leaves at once, and no missed run goes unrecorded."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from articles.models import Article, Section
from digests import composing, runs
from digests.models import Issue, IssueItem
from subscribers import schedules
from subscribers.models import Cadence, CadenceOffer, Newsletter, Weekday

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
BEGIN = datetime(2025, 5, 5, 6, tzinfo=UTC)  # a Monday
MON, TUE, WED, FRI, SUN = Weekday.MONDAY, Weekday.TUESDAY, Weekday.WEDNESDAY, Weekday.FRIDAY, Weekday.SUNDAY
Change = dict[str, object]


def may(text: str) -> datetime:
    """`06 08:00` is 8 o'clock (UTC) on 6 May."""
    return datetime.strptime(f"2025-05-{text} +0000", "%Y-%m-%d %H:%M %z")


class Desk:
    """A newsletter in UTC with one digest, a story every six hours, and a clock that ticks every four hours."""

    def __init__(self, newsletter: Newsletter, section: Section, cadence: str, schedule: Change) -> None:
        Newsletter.objects.update(time_zone="UTC")
        newsletter.refresh_from_db()
        newsletter.offers.exclude(cadence=cadence).delete()
        if not newsletter.offers.exists():
            newsletter.offers.create(cadence=cadence, **schedule)
        self.offers = CadenceOffer.objects.filter(cadence=cadence)
        self.offers.update(active_since=BEGIN, **schedule)
        self.now = BEGIN
        moments = [BEGIN + number * 6 * HOUR + HOUR / 2 for number in range(4 * 60)]
        Article.objects.bulk_create(
            Article(
                headline=str(moment), slug=f"story-{number}", section=section, state=Article.State.PUBLISHED,
                published_at=moment, first_published_at=moment, body_sha256="0" * 64,
            )
            for number, moment in enumerate(moments)
        )  # fmt: skip

    def change(self, values: Change) -> None:
        """As in the admin's form."""
        self.offers.update(**{name: value for name, value in values.items() if name != "time_zone"})
        if "time_zone" in values:
            Newsletter.objects.update(time_zone=values["time_zone"])
        schedules.note_changes(now=self.now)

    def until(self, end: datetime) -> None:
        while self.now < end:
            composing.compose_due(now=self.now)
            self.now += 4 * HOUR
        self.now = end
        composing.compose_due(now=end)

    def offer(self) -> CadenceOffer:
        return self.offers.select_related("newsletter").get()

    def upcoming(self, number: int = 3) -> list[datetime]:
        return schedules.upcoming(offer=self.offer(), now=self.now, number=number)

    def digests(self) -> list[str]:
        """The runs with stories."""
        rows = Issue.objects.exclude(state=Issue.State.CANCELLED).order_by("runs_at")
        return [f"{row.runs_at:%a %d %H:%M}" for row in rows if row.runs_at]

    def rows(self, reason: str) -> list[str]:
        keys = Issue.objects.filter(state=Issue.State.CANCELLED, state_reason=reason).order_by("runs_at")
        return list(keys.values_list("period_key", flat=True))

    def counts(self) -> dict[datetime, int]:
        """For each story before the end of the last window, in how many digests it is."""
        issues = Issue.objects.exclude(state=Issue.State.CANCELLED)
        end = max((row.window_end for row in issues if row.window_end), default=BEGIN)
        stories = Article.objects.filter(first_published_at__gt=BEGIN, first_published_at__lte=end)
        items = list(IssueItem.objects.filter(issue__in=issues).values_list("article", flat=True))
        return {story.first_published_at or BEGIN: items.count(story.pk) for story in stories}


@dataclasses.dataclass
class Case:
    """What is changed when, and which digests there are by the end of the 21st at the latest."""

    why: str
    cadence: str
    schedule: Change
    changes: list[tuple[str, Change]]
    until: str
    digests: list[str]
    overtaken: list[str] = dataclasses.field(default_factory=list)


DAILY: Change = {"send_at": time(10)}
MONDAYS: Change = {"send_at": time(7), "weekday": MON}
MONTHLY: Change = {"send_at": time(7), "day_of_month": 6}
FRIDAYS: Change = {"send_at": time(7), "weekday": FRI}
CASES = [
    Case("an hour moved into the past makes nothing at once", "daily", DAILY,
         [("06 08:00", {"send_at": time(7)})], "08 12:00",
         ["Mon 05 10:00", "Wed 07 07:00", "Thu 08 07:00"], ["2025-05-06"]),
    Case("an hour that is still to come is today's", "daily", DAILY,
         [("06 08:00", {"send_at": time(21)})], "08 00:00", ["Mon 05 10:00", "Tue 06 21:00", "Wed 07 21:00"]),
    Case("a day that had its digest gets no second", "daily", DAILY,
         [("06 11:00", {"send_at": time(23)})], "08 00:00", ["Mon 05 10:00", "Tue 06 10:00", "Wed 07 23:00"]),
    Case("moved to and fro a day still has one", "daily", DAILY,
         [("06 08:00", {"send_at": time(7)}), ("06 09:00", {"send_at": time(12)}), ("06 11:00", {"send_at": time(10)}),
          ("06 12:00", {"send_at": time(13)})], "08 00:00",
         ["Mon 05 10:00", "Tue 06 13:00", "Wed 07 13:00"], ["2025-05-06"]),
    Case("switched off and on again it catches nothing up", "daily", DAILY,
         [("05 12:00", {"is_active": False}), ("08 11:00", {"is_active": True})], "10 00:00",
         ["Mon 05 10:00", "Fri 09 10:00"]),
    Case("in Bishkek ten o'clock was at four", "daily", DAILY, [("06 08:00", {"time_zone": "Asia/Bishkek"})],
         "08 06:00", ["Mon 05 10:00", "Wed 07 04:00", "Thu 08 04:00"], ["2025-05-06"]),
    Case("in New York ten o'clock is still to come", "daily", DAILY,
         [("06 08:00", {"time_zone": "America/New_York"})], "07 00:00", ["Mon 05 10:00", "Tue 06 14:00"]),
    Case("a key that a day further east has taken is another's", "daily", DAILY | {"send_at": time(20)},
         [("05 08:00", {"send_at": time(10), "time_zone": "Pacific/Kiritimati"}),
          ("06 21:00", {"time_zone": "Pacific/Honolulu"})], "09 00:00",
         ["Mon 05 20:00", "Tue 06 20:00", "Wed 07 20:00", "Thu 08 20:00"]),
    Case("four days after the last is near enough to a week", "weekly", MONDAYS,
         [("06 09:00", {"weekday": FRI})], "20 00:00", ["Mon 05 07:00", "Fri 09 07:00", "Fri 16 07:00"]),
    Case("two days after the last is too near", "weekly", MONDAYS,
         [("06 09:00", {"weekday": WED})], "20 00:00", ["Mon 05 07:00", "Wed 14 07:00"]),
    Case("a weekday earlier in the week is next week's", "weekly", FRIDAYS,
         [("14 09:00", {"weekday": MON})], "27 00:00", ["Fri 09 07:00", "Mon 19 07:00", "Mon 26 07:00"]),
    Case("a weekday just before the run leaves a row", "weekly", MONDAYS,
         [("12 06:00", {"weekday": SUN})], "26 00:00",
         ["Mon 05 07:00", "Sun 18 07:00", "Sun 25 07:00"], ["2025-05-11 07:00 UTC"]),
    Case("a day later in the month is this month's, half a month after the last", "monthly", MONTHLY,
         [("08 09:00", {"day_of_month": 22})], "23 00:00", ["Tue 06 07:00", "Thu 22 07:00"]),
    Case("a day sooner after the last is next month's", "monthly", MONTHLY,
         [("08 09:00", {"day_of_month": 20})], "23 00:00", ["Tue 06 07:00"]),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.why)
def test_a_change_acts_forward(case: Case, newsletter: Newsletter, section: Section) -> None:
    desk = Desk(newsletter, section, case.cadence, case.schedule)
    announced: list[datetime] = []
    for moment, values in case.changes:
        desk.until(may(moment))
        desk.change(values)
        announced = desk.upcoming()
    desk.until(may(case.until))
    assert desk.digests() == case.digests
    assert desk.rows(runs.OVERTAKEN) == case.overtaken
    assert desk.rows(runs.MISSED) == []
    assert set(desk.counts().values()) == {1}
    # What the form had said is what came.
    came = [row.runs_at for row in Issue.objects.exclude(runs_at=None) if row.state != Issue.State.CANCELLED]
    assert {run for run in announced if run < desk.now} <= set(came)


def test_a_change_that_no_form_noted_is_seen_by_the_next_tick(newsletter: Newsletter, section: Section) -> None:
    desk = Desk(newsletter, section, Cadence.DAILY, DAILY)
    desk.until(may("06 08:00"))
    desk.offers.update(send_at=time(7))
    desk.until(may("07 08:00"))
    assert desk.digests() == ["Mon 05 10:00", "Wed 07 07:00"]


@pytest.mark.parametrize(
    ("cadence", "schedule", "back", "digests", "missed"),
    [
        ("daily", DAILY, "09 16:00", ["Mon 05 10:00", "Fri 09 10:00"], ["2025-05-06", "2025-05-07", "2025-05-08"]),
        ("weekly", MONDAYS, "27 07:00", ["Mon 05 07:00", "Mon 26 07:00"], ["2025-W20", "2025-W21"]),
    ],
)
def test_after_an_outage_each_missed_run_is_on_record_and_its_stories_come(
    newsletter: Newsletter, section: Section, cadence: str, schedule: Change, back: str, digests: list[str],
    missed: list[str],
) -> None:  # fmt: skip
    desk = Desk(newsletter, section, cadence, schedule)
    desk.until(may("06 08:00"))
    desk.now = may(back)
    desk.until(desk.now + 2 * HOUR)
    assert desk.digests() == digests
    assert desk.rows(runs.MISSED) == missed
    assert set(desk.counts().values()) == {1}


def test_a_change_made_before_the_clock_is_back_hides_no_missed_run(newsletter: Newsletter, section: Section) -> None:
    desk = Desk(newsletter, section, Cadence.DAILY, DAILY)
    desk.until(may("05 12:00"))
    desk.now = may("08 11:00")
    desk.change({"send_at": time(9)})
    desk.until(may("09 12:00"))
    assert desk.digests() == ["Mon 05 10:00", "Fri 09 09:00"]
    assert desk.rows(runs.MISSED) == ["2025-05-06", "2025-05-07"]
    assert desk.rows(runs.OVERTAKEN) == ["2025-05-08"]


def test_a_digest_asked_for_before_its_time_keeps_the_clock_from_a_second(
    newsletter: Newsletter, section: Section
) -> None:
    desk = Desk(newsletter, section, Cadence.DAILY, DAILY)
    desk.until(may("05 14:00"))
    composing.compose_as_of(newsletter=newsletter, cadence=Cadence.DAILY, at=may("06 11:00"), now=desk.now)
    desk.change({"send_at": time(11)})
    desk.until(may("08 00:00"))
    assert desk.digests() == ["Mon 05 10:00", "Tue 06 10:00", "Wed 07 11:00"]


def test_a_year_without_a_clock_is_not_a_year_of_rows(newsletter: Newsletter, section: Section) -> None:
    desk = Desk(newsletter, section, Cadence.DAILY, DAILY)
    desk.until(may("06 08:00"))
    desk.now += timedelta(days=365)
    desk.until(desk.now + 3 * HOUR)
    assert len(desk.rows(runs.MISSED)) < schedules.RECORDED_AT_MOST
    assert desk.rows(runs.MISSED)[-1] == "2026-05-04"


HOURS = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Kiritimati", "Pacific/Honolulu", "Australia/Lord_Howe"])
CHANGES = st.fixed_dictionaries(
    {}, optional={"send_at": HOURS, "weekday": st.integers(0, 6), "time_zone": ZONES}
)  # fmt: skip
# After a number of hours, either a change or an outage of a number of hours.
EVENTS = st.lists(st.tuples(st.integers(1, 90), CHANGES | st.integers(2, 100)), min_size=1, max_size=5)
REASONS = {"", runs.MISSED, runs.OVERTAKEN, composing.STALE}


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cadence=st.sampled_from([Cadence.DAILY, Cadence.WEEKLY]), events=EVENTS)
def test_whatever_is_changed_each_story_is_in_exactly_one_digest(
    newsletter: Newsletter, section: Section, cadence: Cadence, events: list[tuple[int, Change | int]]
) -> None:
    """The clock ticks at each run that is announced; in between the schedule changes, or nobody ticks."""
    with undone():
        desk = Desk(newsletter, section, cadence, DAILY if cadence == Cadence.DAILY else MONDAYS)
        composing.compose_due(now=desk.now)
        for hours, what in [*events, (1, {})]:
            end = desk.now + hours * HOUR
            while (run := desk.upcoming(1)[0]) < end:
                desk.now = run
                assert [issue.runs_at for issue in composing.compose_due(now=run)] == [run]
            desk.now = end + (what * HOUR if isinstance(what, int) else 0 * HOUR)
            desk.change({} if isinstance(what, int) else what)
            composing.compose_due(now=desk.now)
        event(f"{cadence}, {min(len(desk.digests()), 5)} digests")
        assert set(desk.counts().values()) <= {1}
        assert {issue.state_reason for issue in Issue.objects.all()} <= REASONS
