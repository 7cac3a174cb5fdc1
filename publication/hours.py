"""Hours in words, for people of the desk."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils import dateformat
from django.utils.translation import gettext as _
from django.utils.translation import pgettext


def when(moment: datetime, *, zone: str, now: datetime) -> str:
    """“tomorrow, 07:00 in Bishkek”; days that are further away by name and date, in another year with the year."""
    local, today = moment.astimezone(ZoneInfo(zone)), now.astimezone(ZoneInfo(zone)).date()
    near = {-1: _("yesterday"), 0: _("today"), 1: _("tomorrow")}
    # Translators: letters as of Django's date filter: the day of the week, and the month beside a day.
    this_year = pgettext("a weekday", "l j F")
    # Translators: letters as of Django's date filter: as the one before, with the year.
    other_year = pgettext("a weekday of another year", "l j F Y")
    letters = this_year if local.year == today.year else other_year
    shown = near.get((local.date() - today).days) or dateformat.format(local, letters)
    place = _("UTC") if zone == "UTC" else zone.rpartition("/")[2].replace("_", " ")
    return _("%(day)s, %(hour)s in %(place)s") % {"day": shown, "hour": f"{local:%H:%M}", "place": place}
