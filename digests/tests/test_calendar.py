"""Which period an instant belongs to, when a period runs, and that each is due exactly once."""

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digests import calendar
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


def offer(
    cadence: str = "daily", hour: time = time(7), zone: str = "Europe/Berlin", weekday: int | None = None
) -> CadenceOffer:
    newsletter = Newsletter(name="Tech News", time_zone=zone)
    return CadenceOffer(newsletter=newsletter, cadence=cadence, send_at=hour, weekday=weekday)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def following(offer: CadenceOffer, after: datetime) -> calendar.Period:
    """The first period of the offer whose instant is after `after`."""
    later = (run for run in calendar._backwards(offer, after) if run.runs_at > after)
    return min(later, key=lambda run: run.runs_at)


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
    found = calendar.instant(day=date.fromisoformat(day), hour=hour, zone=ZoneInfo(zone))
    assert found == utc(expected)


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
    found = calendar.period(offer=offer(hour=time(2, 30)), at=utc(at))
    assert found == calendar.Period(key=key, runs_at=utc(runs_at))


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
    assert calendar.period(offer=offer("weekly", weekday=Weekday.MONDAY), at=utc(at)).key == key


def test_weekly_on_sunday_runs_on_the_last_day_of_its_week() -> None:
    found = calendar.period(offer=offer("weekly", weekday=Weekday.SUNDAY), at=utc("2027-01-03T06:00"))
    assert found == calendar.Period(key="2026-W53", runs_at=utc("2027-01-03T06:00"))


def test_bishkek_keeps_its_hour_all_year() -> None:
    bishkek = offer(zone="Asia/Bishkek")
    for day in ("2026-03-29", "2026-07-01", "2026-10-25"):
        found = calendar.period(offer=bishkek, at=utc(f"{day}T01:00"))
        assert found == calendar.Period(key=day, runs_at=utc(f"{day}T01:00"))


def test_a_cadence_without_hour_has_no_periods() -> None:
    instant = CadenceOffer(newsletter=Newsletter(name="Tech News"), cadence=Cadence.INSTANT)
    with pytest.raises(calendar.NoSuchOffer, match="no hour"):
        calendar.period(offer=instant, at=utc("2026-10-25T00:30"))


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
    expected = [calendar.period(offer=each, at=now).key]
    run = following(each, now)
    while run.runs_at <= end:
        expected.append(run.key)
        # A tick just before the run, on it, and two that come late.
        for tick in (-60, 0, *lateness[:2]):
            seen = calendar.period(offer=each, at=run.runs_at + timedelta(seconds=tick))
            composed.setdefault(seen.key, seen.runs_at)
        run = following(each, run.runs_at)
    composed.setdefault(calendar.period(offer=each, at=now).key, now)
    assert len(set(expected)) == len(expected)
    assert set(composed) == set(expected)
    instants = [composed[key] for key in expected[1:]]
    assert instants == sorted(set(instants))
    local = [at.astimezone(ZoneInfo(zone)) for at in instants]
    assert all(at - before >= step - timedelta(hours=2) for before, at in itertools.pairwise(instants))
    assert sum((at.hour, at.minute) != (hour.hour, hour.minute) for at in local) <= 1
