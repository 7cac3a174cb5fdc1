"""Formats of times for machines and of days for people."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.utils import dateformat
from django.utils.functional import Promise
from django.utils.translation import pgettext, pgettext_lazy

# The months beside a day, with the context of Django's own catalogues, so that ours correct them where a newspaper
# writes otherwise: Django's Kyrgyz months begin with a capital.
MONTHS: Final[Sequence[Promise]] = (
    pgettext_lazy("alt. month", "January"),
    pgettext_lazy("alt. month", "February"),
    pgettext_lazy("alt. month", "March"),
    pgettext_lazy("alt. month", "April"),
    pgettext_lazy("alt. month", "May"),
    pgettext_lazy("alt. month", "June"),
    pgettext_lazy("alt. month", "July"),
    pgettext_lazy("alt. month", "August"),
    pgettext_lazy("alt. month", "September"),
    pgettext_lazy("alt. month", "October"),
    pgettext_lazy("alt. month", "November"),
    pgettext_lazy("alt. month", "December"),
)


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
