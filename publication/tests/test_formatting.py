"""Numbers and durations in sentences, in the active language."""

import pytest
from django.utils import translation

from publication import formatting


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (50, "50 s"), (119, "119 s"), (720, "12 min"), (12_000, "3 h 20 min"), (172_800, "2 days")],
)
def test_a_duration_has_two_units_at_most(seconds: float, words: str) -> None:
    assert formatting.duration(seconds=seconds) == words


def test_a_number_has_the_separator_of_its_language() -> None:
    assert (formatting.number(1_002), formatting.copies(1), formatting.copies(1_002)) == (
        "1,002",
        "1 copy",
        "1,002 copies",
    )
    with translation.override("ru"):
        assert formatting.number(1_002) == "1\xa0002"
