"""Which period an instant belongs to, when a period runs, and that each is due exactly once."""

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from subscribers import cadences, schedules
from subscribers.models import Cadence, CadenceOffer, Newsletter, Weekday

EARLIEST, LATEST = datetime(2024, 1, 1), datetime(2030, 12, 31)  # noqa: DTZ001  # hypothesis wants them so
ZONES = [
    "UTC",
    "Europe/Berlin",
    "Asia/Bishkek",
    "America/Nuuk",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Asia/Kathmandu",
]

# A day apart from each other.
FAR = ["Pacific/Kiritimati", "Pacific/Honolulu"]


def offer(
    cadence: str = "daily", hour: time = time(7), zone: str = "Europe/Berlin", weekday: int | None = None
) -> CadenceOffer:
    newsletter = Newsletter(name="Tech News", time_zone=zone)
    return CadenceOffer(newsletter=newsletter, cadence=cadence, send_at=hour, weekday=weekday)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def following(offer: CadenceOffer, after: datetime) -> schedules.Period:
    """The first period of the offer whose instant is after `after`."""
    offer.active_since = after
    (moment,) = schedules.upcoming(offer=offer, now=after, number=1)
    return schedules.period(offer=offer, at=moment)


@pytest.mark.parametrize(
    ("day", "hour", "zone", "expected"),
    [
        ("2026-03-29", time(2, 30), "Europe/Berlin", "2026-03-29T01:00"),
        ("2026-03-29", time(2, 0), "Europe/Berlin", "2026-03-29T01:00"),
        ("2026-03-29", time(3, 0), "Europe/Berlin", "2026-03-29T01:00"),
        ("2026-03-29", time(1, 59), "Europe/Berlin", "2026-03-29T00:59"),
        ("2026-10-25", time(2, 30), "Europe/Berlin", "2026-10-25T00:30"),
        ("2026-10-25", time(3, 0), "Europe/Berlin", "2026-10-25T02:00"),
        ("2026-07-01", time(7, 0), "Asia/Bishkek", "2026-07-01T01:00"),
        ("2026-01-01", time(0, 0), "Asia/Bishkek", "2025-12-31T18:00"),
        # Greenland's clocks go forward at 23:00 on Saturday: 23:30 means Sunday's first minute.
        ("2026-03-28", time(23, 30), "America/Nuuk", "2026-03-29T01:00"),
        # Lord Howe moves by half an hour.
        ("2026-10-04", time(2, 10), "Australia/Lord_Howe", "2026-10-03T15:30"),
    ],
)
def test_a_local_hour_has_one_instant(day: str, hour: time, zone: str, expected: str) -> None:
    moment = schedules.instant(day=date.fromisoformat(day), hour=hour, zone=ZoneInfo(zone))
    assert moment == utc(expected)


@pytest.mark.parametrize(
    ("at", "key", "runs_at"),
    [
        ("2026-03-28T23:59", "2026-03-28", "2026-03-28T01:30"),
        ("2026-03-29T00:59", "2026-03-28", "2026-03-28T01:30"),
        ("2026-03-29T01:00", "2026-03-29", "2026-03-29T01:00"),
        ("2026-03-30T00:30", "2026-03-30", "2026-03-30T00:30"),
        ("2026-10-25T00:29", "2026-10-24", "2026-10-24T00:30"),
        ("2026-10-25T00:30", "2026-10-25", "2026-10-25T00:30"),
        # 02:30 comes again an hour later, and is still the same period.
        ("2026-10-25T01:30", "2026-10-25", "2026-10-25T00:30"),
        ("2026-12-31T23:00", "2026-12-31", "2026-12-31T01:30"),
        ("2027-01-01T01:30", "2027-01-01", "2027-01-01T01:30"),
    ],
)
def test_daily_at_half_past_two_in_berlin(at: str, key: str, runs_at: str) -> None:
    run = schedules.period(offer=offer(hour=time(2, 30)), at=utc(at))
    assert run == schedules.Period(key=key, runs_at=utc(runs_at))


@pytest.mark.parametrize(
    ("at", "key"),
    [
        ("2026-12-28T05:59", "2026-W52"),
        ("2026-12-28T06:00", "2026-W53"),
        ("2027-01-03T12:00", "2026-W53"),
        ("2027-01-04T05:59", "2026-W53"),
        ("2027-01-04T06:00", "2027-W01"),
        ("2025-12-29T06:00", "2026-W01"),
    ],
)
def test_weekly_on_monday_has_iso_weeks(at: str, key: str) -> None:
    assert schedules.period(offer=offer("weekly", weekday=Weekday.MONDAY), at=utc(at)).key == key


@pytest.mark.parametrize(
    ("at", "key", "runs_at"),
    [
        ("2026-02-28T05:59", "2026-01", "2026-01-28T06:00"),
        ("2026-02-28T06:00", "2026-02", "2026-02-28T06:00"),
        # Summer time has begun.
        ("2026-04-28T05:00", "2026-04", "2026-04-28T05:00"),
        ("2027-01-01T00:00", "2026-12", "2026-12-28T06:00"),
    ],
)
def test_monthly_on_the_28th_every_month_has_one(at: str, key: str, runs_at: str) -> None:
    monthly = offer("monthly")
    monthly.day_of_month = 28
    assert schedules.period(offer=monthly, at=utc(at)) == schedules.Period(key=key, runs_at=utc(runs_at))


def test_weekly_on_sunday_runs_on_the_last_day_of_its_week() -> None:
    run = schedules.period(offer=offer("weekly", weekday=Weekday.SUNDAY), at=utc("2027-01-03T06:00"))
    assert run == schedules.Period(key="2026-W53", runs_at=utc("2027-01-03T06:00"))


def test_bishkek_keeps_its_hour_all_year() -> None:
    bishkek = offer(zone="Asia/Bishkek")
    for day in ("2026-03-29", "2026-07-01", "2026-10-25"):
        run = schedules.period(offer=bishkek, at=utc(f"{day}T01:00"))
        assert run == schedules.Period(key=day, runs_at=utc(f"{day}T01:00"))


def test_every_cadence_has_its_record() -> None:
    assert set(cadences.ORDER) == set(Cadence)


def test_a_cadence_without_hour_has_no_periods() -> None:
    instant = CadenceOffer(newsletter=Newsletter(name="Tech News"), cadence=Cadence.INSTANT)
    with pytest.raises(schedules.NoSuchOffer, match="no hour"):
        schedules.period(offer=instant, at=utc("2026-10-25T00:30"))


@given(
    zone=st.sampled_from(ZONES),
    hour=st.times(timezones=st.none()).map(lambda hour: hour.replace(second=0, microsecond=0)),
    weekday=st.none() | st.integers(0, 6),
    start=st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC)),
    lateness=st.lists(st.integers(0, 600), min_size=1, max_size=20),
)
@settings(max_examples=150, deadline=None)
def test_each_period_is_met_once_and_in_order(
    zone: str, hour: time, weekday: int | None, start: datetime, lateness: list[int]
) -> None:
    """Ticks that come late, early or twice see the same periods as a perfect clock, each in its turn."""
    each = offer("daily" if weekday is None else "weekly", hour, zone, weekday)
    step = timedelta(days=1 if weekday is None else 7)
    now, end = start, start + 12 * step
    composed: dict[str, datetime] = {}
    expected = [schedules.period(offer=each, at=now).key]
    run = following(each, now)
    while run.runs_at <= end:
        expected.append(run.key)
        # A tick just before the run, on it, and two that come late.
        for tick in (-60, 0, *lateness[:2]):
            seen = schedules.period(offer=each, at=run.runs_at + timedelta(seconds=tick))
            composed.setdefault(seen.key, seen.runs_at)
        run = following(each, run.runs_at)
    composed.setdefault(schedules.period(offer=each, at=now).key, now)
    assert len(set(expected)) == len(expected)
    assert set(composed) == set(expected)
    instants = [composed[key] for key in expected[1:]]
    assert instants == sorted(set(instants))
    local = [at.astimezone(ZoneInfo(zone)) for at in instants]
    assert all(at - before >= step - timedelta(hours=2) for before, at in itertools.pairwise(instants))
    assert sum((at.hour, at.minute) != (hour.hour, hour.minute) for at in local) <= 1


HOURS = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "send_at": HOURS,
        "weekday": st.integers(0, 6),
        "day_of_month": st.integers(1, 28),
        "time_zone": st.sampled_from([*ZONES, *FAR]),
    },
)


class Line:
    """An offer without a database, whose clock makes each run at its instant."""

    def __init__(self, cadence: str, begin: datetime) -> None:
        self.offer = offer(cadence, time(10), "UTC", weekday=0)
        self.offer.day_of_month = 1
        self.offer.active_since = self.now = begin
        self.cadence, self.changes = cadence, 0
        self.note()

    def note(self) -> None:
        for name, value in schedules.changes(offer=self.offer, now=self.now).items():
            setattr(self.offer, name, value)

    def change(self, values: dict[str, object]) -> None:
        for name, value in values.items():
            setattr(self.offer.newsletter if name == "time_zone" else self.offer, name, value)
        self.note()
        self.changes += bool(values)

    def run_until(self, end: datetime) -> None:
        while (run := schedules.upcoming(offer=self.offer, now=self.now, number=1)[0]) <= end:
            assert [pending.runs_at for pending in schedules.pending(offer=self.offer, now=run)] == [run]
            self.check(run)
            self.now = self.offer.runs_after = self.offer.last_run_at = run
            self.changes = 0
        self.now = end
        assert schedules.pending(offer=self.offer, now=end) == []

    def check(self, run: datetime) -> None:
        last = self.offer.last_run_at
        if last is None:
            return
        zone = ZoneInfo(self.offer.newsletter.time_zone)
        days = (run.astimezone(zone).date() - last.astimezone(zone).date()).days
        assert days >= cadences.rhythm(self.cadence).days_apart
        # Somebody who puts it off again and again before it runs gets what was asked for.
        if self.changes < 2:
            assert run - last < 2 * cadences.rhythm(self.cadence).length + timedelta(hours=1)


@given(
    cadence=st.sampled_from(cadences.DIGESTS),
    begin=st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC)),
    changes=st.lists(st.tuples(st.integers(1, 400), CHANGES), min_size=1, max_size=12),
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_changed_no_run_is_doubled_and_no_gap_is_two_periods_long(
    cadence: str, begin: datetime, changes: list[tuple[int, dict[str, object]]]
) -> None:
    line = Line(cadence, begin)
    for hours, values in changes:
        line.run_until(line.now + timedelta(hours=hours))
        line.change(values)
    line.run_until(line.now + 3 * cadences.rhythm(cadence).length)
