"""The part of the preference page that says when mail comes: zone, hour and quiet hours, without JavaScript."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypedDict

from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from publication.models import TIME_ZONES, Publication
from subscribers.models import Subscriber

# Other names in the list of zones are old ones for the same places.
REGIONS: Final = {
    "Africa": _("Africa"),
    "America": _("America"),
    "Antarctica": _("Antarctica"),
    "Asia": _("Asia"),
    "Atlantic": _("Atlantic"),
    "Australia": _("Australia"),
    "Europe": _("Europe"),
    "Indian": _("Indian Ocean"),
    "Pacific": _("Pacific"),
}
HOURS: Final = tuple((str(hour), f"{hour:02}:00") for hour in range(24))


class Chosen(TypedDict):
    """As `preferences.choose_hours` takes them."""

    time_zone: str
    mail_hour: int | None
    quiet: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Shown:
    """What the form offers, and what the reader has; `house_zone` is the publication's."""

    house_zone: str
    regions: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    hours: tuple[tuple[str, str], ...]
    time_zone: str
    mail_hour: str
    quiet_from: str
    quiet_until: str


def shown(subscriber: Subscriber) -> Shown:
    """The form of one reader."""
    numbers = (subscriber.mail_hour, subscriber.quiet_from, subscriber.quiet_until)
    hour, quiet_from, quiet_until = ("" if number is None else str(number) for number in numbers)
    return Shown(
        house_zone=Publication.objects.current().time_zone.replace("_", " "),
        regions=tuple((str(name), _places(region)) for region, name in REGIONS.items()),
        hours=HOURS,
        time_zone=subscriber.time_zone,
        mail_hour=hour,
        quiet_from=quiet_from,
        quiet_until=quiet_until,
    )


def chosen(sent: QueryDict) -> Chosen:
    """What the form sent; an hour that is none becomes one that `preferences.choose_hours` refuses."""
    quiet_from, quiet_until = _hour(sent.get("quiet_from", "")), _hour(sent.get("quiet_until", ""))
    is_quiet = quiet_from is not None or quiet_until is not None
    return Chosen(
        time_zone=sent.get("time_zone", ""),
        mail_hour=_hour(sent.get("mail_hour", "")),
        quiet=(-1 if quiet_from is None else quiet_from, -1 if quiet_until is None else quiet_until)
        if is_quiet
        else None,
    )


def _hour(text: str) -> int | None:
    if not text:
        return None
    return int(text) if text in dict(HOURS) else -1


def _places(region: str) -> tuple[tuple[str, str], ...]:
    zones = sorted(zone for zone in TIME_ZONES if zone.startswith(f"{region}/"))
    return tuple((zone, zone.partition("/")[2].replace("_", " ")) for zone in zones)
