"""When the digests of a cadence run: their instants, in a newsletter's own time zone, and what a change of them does.

Each run has one instant (UTC) and one key. A local hour that does not exist that day means the first instant
after the gap; an hour that comes twice means the first of the two.

A change of hour, weekday or zone acts forward: no run is due whose instant had passed when it was made. The next
run is the first instant of the new schedule after the change that keeps its distance from the last one: a daily
digest never comes twice on a day, and another weekday makes a week of four to ten days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext_lazy as _

from subscribers import cadences
from subscribers.models import CadenceOffer, Newsletter

# Of the runs that went by unseen, the latest are recorded one by one.
RECORDED_AT_MOST: Final = 60
# Changes are noted by the database's clock. A tick that began a moment ago has an earlier one.
TOLERANCE: Final = timedelta(minutes=1)
OFF: Final = "off"


class NoSuchOffer(Exception):
    """The newsletter does not offer digests at this cadence; the message says what it offers."""


@dataclass(frozen=True, slots=True)
class Period:
    """One run: its key (`2026-10-25`, `2026-W53`) and the instant (UTC) at which it is due."""

    key: str
    runs_at: datetime


def period(*, offer: CadenceOffer, at: datetime) -> Period:
    """The latest period of the schedule whose instant is not after `at`, whatever was changed or made."""
    *_, latest = takewhile(lambda run: run.runs_at <= at, _after(offer, at - 3 * _rhythm(offer).length))
    return latest


def upcoming(*, offer: CadenceOffer, now: datetime, number: int = 3) -> list[datetime]:
    """The next runs (UTC), soonest first."""
    return [run.runs_at for run in islice(_next(offer, max(now, _begin(offer))), number)]


def pending(*, offer: CadenceOffer, now: datetime) -> list[Period]:
    """Runs that are due by now and were not made, oldest first; of very many, the latest."""
    earliest = now - RECORDED_AT_MOST * _rhythm(offer).length
    return _until(offer, begin=max(_begin(offer), earliest), end=now)


def overtaken(*, offer: CadenceOffer) -> list[Period]:
    """Runs of the present schedule that had passed when it was changed to this, and are not on record yet."""
    if offer.recorded_until is None or offer.runs_after is None:
        return []
    earliest = offer.runs_after - RECORDED_AT_MOST * _rhythm(offer).length
    begin = max(offer.recorded_until, offer.active_since, earliest)
    return _until(offer, begin=begin, end=offer.runs_after)


def note_changes(*, now: datetime, newsletter: Newsletter | None = None) -> None:
    """Note for each digest whose schedule is another than the one on record that it holds from now on.

    The form of a newsletter calls it at once; each tick of the clock calls it for changes that were made otherwise,
    and takes back to `now` what is noted ahead of it.
    """
    offers = CadenceOffer.objects.filter(cadence__in=cadences.DIGESTS).select_related("newsletter")
    for offer in offers if newsletter is None else offers.filter(newsletter=newsletter):
        if values := changes(offer=offer, now=now):
            # Another process may have noted the change, or made a run, since the row was read.
            unchanged = CadenceOffer.objects.filter(pk=offer.pk, schedule=offer.schedule, runs_after=offer.runs_after)
            unchanged.update(**values)


def changes(*, offer: CadenceOffer, now: datetime) -> dict[str, str | datetime]:
    """What has to be written of the offer; nothing when its schedule is the one on record."""
    schedule = _in_words(offer)
    values: dict[str, str | datetime] = {
        name: now
        for name in ("runs_after", "recorded_until")
        if (moment := getattr(offer, name)) is not None and moment > now + TOLERANCE
    }
    if schedule == offer.schedule:
        return values
    values["schedule"] = schedule
    if offer.schedule:
        values["runs_after"] = now
    if offer.schedule in ("", OFF):
        values["recorded_until"] = now
    return values


def zone_named(name: str) -> ZoneInfo | None:
    """The zone of this name; None for no name, or one that an update of the host removed."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


def instant(*, day: date, hour: time, zone: ZoneInfo) -> datetime:
    """The UTC instant of a local hour: after the gap when it does not exist, the first when it comes twice."""
    local = datetime.combine(day, hour.replace(tzinfo=None, fold=0), tzinfo=zone)
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return moment
    return _end_of_gap(earlier=local.replace(fold=1).astimezone(UTC), later=moment, zone=zone)


def _in_words(offer: CadenceOffer) -> str:
    """All that decides when the offer runs, to be compared."""
    if not offer.is_active or offer.send_at is None:
        return OFF
    needs = cadences.of(offer.cadence).needs
    return " ".join([offer.newsletter.time_zone, *(str(getattr(offer, name)) for name in needs)])


def _begin(offer: CadenceOffer) -> datetime:
    """Runs up to this instant were made, were never due, or were due by another schedule."""
    return max(filter(None, [offer.active_since, offer.runs_after]))


def _until(offer: CadenceOffer, *, begin: datetime, end: datetime) -> list[Period]:
    return list(takewhile(lambda run: run.runs_at <= end, _next(offer, begin)))


def _next(offer: CadenceOffer, begin: datetime) -> Iterator[Period]:
    """Runs after `begin` that keep their distance from the last one that was made."""
    runs = _after(offer, begin)
    if offer.last_run_at is None:
        return runs
    zone = _zone(offer)
    apart = timedelta(days=_rhythm(offer).days_apart)
    earliest = offer.last_run_at.astimezone(zone).date() + apart
    return (run for run in runs if run.runs_at.astimezone(zone).date() >= earliest)


def _after(offer: CadenceOffer, begin: datetime) -> Iterator[Period]:
    """Every run of the schedule after an instant, in order; without end."""
    zone, rhythm = _zone(offer), _rhythm(offer)
    # A period before: the one that holds this day may have a run before it.
    day = begin.astimezone(zone).date() - rhythm.length
    while True:
        run = _run(offer, rhythm, day, zone)
        if run.runs_at > begin:
            yield run
        day = rhythm.following(day)


def _run(offer: CadenceOffer, rhythm: cadences.Rhythm, day: date, zone: ZoneInfo) -> Period:
    """The run in the period that holds the day."""
    if offer.send_at is None:
        raise NoSuchOffer(
            _("%(newsletter)s has no hour for %(cadence)s.")
            % {"newsletter": offer.newsletter, "cadence": offer.get_cadence_display().lower()}
        )
    day, key = rhythm.run(offer, day)
    return Period(key=key, runs_at=instant(day=day, hour=offer.send_at, zone=zone))


def _rhythm(offer: CadenceOffer) -> cadences.Rhythm:
    try:
        return cadences.rhythm(offer.cadence)
    except cadences.NoDigest:
        raise NoSuchOffer(
            _("%(newsletter)s has no hour for %(cadence)s.")
            % {"newsletter": offer.newsletter, "cadence": offer.get_cadence_display().lower()}
        ) from None


def _zone(offer: CadenceOffer) -> ZoneInfo:
    return ZoneInfo(offer.newsletter.time_zone)


def _end_of_gap(*, earlier: datetime, later: datetime, zone: ZoneInfo) -> datetime:
    """The first instant with the new offset, which lies in (earlier, later]; to the second."""
    new = later.astimezone(zone).utcoffset()
    low, high = int(earlier.timestamp()), int(later.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == new:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)
