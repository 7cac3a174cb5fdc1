"""Formats of times for machines and of days for people."""

from datetime import datetime

from django.utils import dateformat
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
