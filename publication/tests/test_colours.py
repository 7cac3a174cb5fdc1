"""The publication's colours can be read, whatever an editor chose, and its sign fits."""

import io
import re

import pytest
from django.core.files.images import ImageFile
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from publication import colours
from publication.models import Publication

any_colour = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


def _value(sheet: str, name: str, *, dark: bool) -> str:
    part = sheet.split("@media", 1)[1 if dark else 0]
    match = re.search(rf"--{name}: (#[0-9a-f]{{6}});", part)
    assert match, name
    return match[1]


def test_contrast_agrees_with_the_published_examples() -> None:
    assert colours.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colours.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert colours.readable("#1a4d8f", on="#ffffff") == "#1a4d8f"


@given(ink=any_colour, accent=any_colour)
def test_every_pair_of_colours_becomes_readable_on_both_papers(ink: str, accent: str) -> None:
    sheet = colours.stylesheet(Publication(ink_colour=ink, accent_colour=accent))
    for dark, tint in ((False, colours.LIGHT_TINT), (True, colours.DARK_TINT)):
        accent_there, ink_there = _value(sheet, "accent", dark=dark), _value(sheet, "ink", dark=dark)
        assert colours.contrast(ink_there, tint) >= colours.COMFORTABLE
        assert colours.contrast(accent_there, tint) >= colours.READABLE
        assert colours.contrast(_value(sheet, "on-accent", dark=dark), accent_there) >= colours.READABLE


@pytest.mark.django_db
def test_a_page_without_a_sign_of_its_own_gets_the_houses(client: Client) -> None:
    assert client.get("/favicon.ico")["Location"].endswith("-icon-48.png")


@pytest.mark.parametrize(("size", "width"), [((512, 512), 48), ((900, 180), 240), ((4000, 10), 280)])
def test_a_logo_of_any_shape_stands_48_pixels_high_in_a_mail(size: tuple[int, int], width: int) -> None:
    drawn = io.BytesIO()
    Image.new("RGB", size).save(drawn, "PNG")
    assert Publication(logo=ImageFile(drawn, name="logo.png")).mail_logo_width == width


def test_a_logo_whose_file_is_gone_spoils_no_mail() -> None:
    assert Publication(logo="publication/gone.png").mail_logo_width == 120
