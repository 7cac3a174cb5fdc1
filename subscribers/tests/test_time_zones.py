"""Only the names of the IANA list are time zones: they mean the same on every machine."""

import zoneinfo

import pytest
from django.core.exceptions import ValidationError

from publication.models import TIME_ZONES, Publication, validate_time_zone
from subscribers.models import Newsletter


@pytest.mark.parametrize(
    "name", ["Asia/Bishkek", "Europe/Berlin", "America/Argentina/Buenos_Aires", "UTC", "Etc/GMT+5"]
)
def test_a_name_of_the_list_is_a_zone(name: str) -> None:
    validate_time_zone(name)


@pytest.mark.parametrize(
    "name",
    ["localtime", "Factory", "posixrules", "posix/Europe/Berlin", "right/UTC", "europe/berlin", "Berlin", "+05:00", ""],
)
def test_another_name_is_none(name: str) -> None:
    with pytest.raises(ValidationError, match="Asia/Bishkek"):
        validate_time_zone(name)


def test_every_zone_of_the_list_can_be_calculated_with() -> None:
    assert all(zoneinfo.ZoneInfo(name) for name in TIME_ZONES)


@pytest.mark.parametrize("model", [Publication, Newsletter])
def test_whatever_has_a_zone_asks_for_one_of_the_list(model: type[Publication | Newsletter]) -> None:
    fields = [field for field in model._meta.fields if field.name == "time_zone"]

    assert all(validate_time_zone in field.validators for field in fields)
    assert fields
