"""Hours at the desk: in one zone, named beside the field; hours that do not exist or come twice are explained."""

from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.utils import timezone

from publication.moments import MomentField

CASES = [
    ("Europe/Berlin", "2026-11-28", "07:00", "2026-11-28T06:00:00+00:00"),
    ("Asia/Bishkek", "2026-11-28", "07:00", "2026-11-28T01:00:00+00:00"),
    ("Europe/Berlin", "2026-03-29", "02:30", "02:30 does not exist on this night in Berlin: the clocks go forward."),
    ("Europe/Berlin", "2026-10-25", "02:30", "02:30 comes twice on this night in Berlin: the clocks go back."),
    ("UTC", "1899-12-31", "07:00", "This date is before 1900."),
    ("UTC", "2999-01-01", "07:00", "This date is more than ten years away."),
    ("Europe/Berlin", "9999-12-31", "23:59", "This date is more than ten years away."),
    ("Europe/Berlin", "0001-01-01", "00:00", "This date is before 1900."),
]


@pytest.mark.parametrize(("zone", "day", "hour", "outcome"), CASES)
def test_what_is_typed(zone: str, day: str, hour: str, outcome: str) -> None:
    with timezone.override(ZoneInfo(zone)):
        if outcome.startswith("2026"):
            moment = MomentField().clean([day, hour])
            assert moment is not None
            assert moment.astimezone(ZoneInfo("UTC")).isoformat() == outcome
            return
        with pytest.raises(forms.ValidationError, match=outcome):
            MomentField().clean([day, hour])


class Hours(forms.Form):
    at = MomentField(help_text="Empty: at once.")


@pytest.mark.parametrize(
    ("zone", "words"), [("Europe/Berlin", "Berlin time"), ("America/New_York", "New York time"), ("UTC", "UTC")]
)
def test_the_zone_is_beside_the_field(zone: str, words: str) -> None:
    with timezone.override(ZoneInfo(zone)):
        assert Hours()["at"].help_text == f"{words}. Empty: at once."
