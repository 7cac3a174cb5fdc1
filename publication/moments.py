"""An hour that somebody of the desk types: in the time zone of the desk, which is named beside the field.

`newsroom.desk.zone` makes one time zone that of every page of the desk: the one that the person chose for themselves,
else the publication's.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminSplitDateTimeWidget

from publication import times

EARLIEST_YEAR: Final = 1900
FARTHEST: Final = timedelta(days=3_653)  # ten years


def zone() -> ZoneInfo:
    """The one in which the page's hours are."""
    return ZoneInfo(timezone.get_current_timezone_name())


def zone_words() -> str:
    """“Berlin time”, of the zone in which the page's hours are."""
    name = timezone.get_current_timezone_name()
    if name in ("UTC", "Etc/UTC"):
        return _("UTC")
    return _("%(place)s time") % {"place": place()}


def words(moment: datetime) -> str:
    """“6 May 2025, 10:00 (Berlin time)”."""
    local = timezone.localtime(moment)
    return f"{times.day(local)}, {local:%H:%M} ({zone_words()})"


def place() -> str:
    """“Berlin”, or “UTC”."""
    name = str(timezone.get_current_timezone())
    return name.rpartition("/")[2].replace("_", " ")


class MomentField(forms.SplitDateTimeField):
    """A date and an hour of the current time zone that exist, in a year that somebody may mean."""

    widget = UnfoldAdminSplitDateTimeWidget

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> forms.BoundField:
        """As Django's; the help begins with the time zone."""
        bound = super().get_bound_field(form, field_name)
        bound.help_text = f"{zone_words()}. {bound.help_text}".strip()
        return bound

    def compress(self, data_list: tuple[date, time] | None) -> datetime | None:
        """The instant. On failure: ValidationError with what to type instead."""
        if data_list and all(part not in self.empty_values for part in data_list):
            wall = datetime.combine(*data_list)
            check_distance(wall)
            _check_existence(wall)
        return super().compress(data_list)


def check_distance(wall: datetime) -> None:
    """Return when a clock on the wall may show this in a year that somebody means; otherwise raise ValidationError."""
    if wall.year < EARLIEST_YEAR:
        raise forms.ValidationError(_("This date is before %(year)s.") % {"year": EARLIEST_YEAR})
    if wall - timezone.localtime().replace(tzinfo=None) > FARTHEST:
        raise forms.ValidationError(_("This date is more than ten years away."))


def _check_existence(wall: datetime) -> None:
    """Return when a clock on the wall shows this hour once; on the nights of a change it may be never or twice."""
    zone = timezone.get_current_timezone()
    back = wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    offsets = {wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}
    if len(offsets) == 1:
        return
    facts = {"hour": f"{wall:%H:%M}", "place": place()}
    if back != wall:
        sentence = _("%(hour)s does not exist on this night in %(place)s: the clocks go forward. Choose a later hour.")
    else:
        sentence = _("%(hour)s comes twice on this night in %(place)s: the clocks go back. Choose another hour.")
    raise forms.ValidationError(sentence % facts)
