"""Formats of times for machines and of days for people."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils import dateformat
from django.utils.translation import gettext as _
from django.utils.translation import pgettext


def machine_readable(moment: datetime | None) -> str:
    """ISO 8601 with the offset, to the second: some programs read no fractions. Empty for no time at all."""
    return moment.isoformat(timespec="seconds") if moment else ""


def whole_seconds(moment: datetime | None) -> datetime | None:
    """The moment without its fraction."""
    return moment.replace(microsecond=0) if moment else None


def day(moment: datetime | None) -> str:
    """“28 November 2026”, as the language of the page or mail writes it; in the moment's own time zone."""
    # Translators: letters as of Django's date filter; E is the month beside a day.
    return dateformat.format(moment, pgettext("a day, for Django's date filter", "j E Y")) if moment else ""


def when(moment: datetime, *, zone: str, now: datetime) -> str:
    """“tomorrow, 07:00 in Bishkek”; days that are further away by their name and date."""
    local, today = moment.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone)).date()
    near = {-1: _("yesterday"), 0: _("today"), 1: _("tomorrow")}
    # Translators: letters as of Django's date filter: the day of the week, and the month beside a day.
    shown = near.get((local.date() - today).days) or dateformat.format(local, pgettext("a weekday", "l j F"))
    place = _("UTC") if zone == "UTC" else zone.rpartition("/")[2].replace("_", " ")
    return _("%(day)s, %(hour)s in %(place)s") % {"day": shown, "hour": f"{local:%H:%M}", "place": place}
