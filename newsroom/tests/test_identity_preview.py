"""Beside the form of the publication is the reader's front page, made of what is typed; nothing of it is public."""

import io
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from publication.models import Publication
from tests.cast import Publish, Staff

pytestmark = pytest.mark.django_db

PREVIEW = "/admin/identity/preview/"


@pytest.fixture
def paul(staff: Staff, publication: Publication) -> Client:
    """A publisher's browser."""
    return staff("Publisher")


def form(**changed: Any) -> dict[str, Any]:
    """The fields of the form, as it is stored but for these."""
    row = Publication.objects.current()
    names = (
        "name", "owner", "strapline", "postal_address", "accent_colour", "ink_colour", "typeface", "sender_address",
        "language", "time_zone",
    )  # fmt: skip
    return {name: getattr(row, name) for name in names} | changed


def shown(client: Client, **changed: Any) -> BeautifulSoup:
    """The page of the form."""
    response = client.post(PREVIEW, form(**changed))
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html5lib")


def words(page: BeautifulSoup, selector: str) -> str:
    element = page.select_one(selector)
    return " ".join(element.get_text().split()) if element else ""


def test_the_front_page_is_made_of_what_is_typed_and_nothing_is_saved(paul: Client, publish: Publish) -> None:
    publish("A real story")
    before = Publication.objects.values().get()
    page = shown(paul, name="The Hour", strapline="All of it", owner="Hour Ltd", postal_address="2 New Street\nOsh")
    assert words(page, ".masthead__name") == "The Hour"
    assert words(page, ".masthead__strapline") == "All of it"
    assert "Publisher Hour Ltd" in words(page, "footer")
    assert "2 New Street" in words(page, "footer")
    assert "A real story" in words(page, "main")
    assert Publication.objects.values().get() == before
    assert "The Hour" not in paul.get("/").content.decode()


def test_the_page_has_the_style_sheet_of_the_colours_and_the_face_that_are_typed(paul: Client) -> None:
    page = shown(paul, accent_colour="#0b5d1e", typeface="review")
    sheet = page.select_one('link[rel="stylesheet"]')
    assert sheet is not None
    response = paul.get(str(sheet["href"]))
    assert response["Content-Type"].startswith("text/css")
    assert "#0b5d1e" in response.content.decode()
    assert "review" in response.content.decode()
    assert "font-display: optional" not in response.content.decode(), "a face that is late is shown"
    public = paul.get("/site-000000000000.css").content.decode()
    assert "#0b5d1e" not in public
    assert "font-display: optional" in public


def test_a_field_that_is_not_valid_yet_is_as_it_is_stored(paul: Client) -> None:
    page = shown(paul, name="", accent_colour="#0b", strapline="All of it")
    assert words(page, ".masthead__name") == "Block News International"
    assert words(page, ".masthead__strapline") == "All of it"


def test_the_page_is_in_the_language_that_is_typed(paul: Client) -> None:
    page = shown(paul, language="ru", further_languages=["en"])
    assert page.html is not None
    assert page.html["lang"] == "ru"
    assert [str(link["href"]) for link in page.select(".languages a")] == ["/", "/en/"]


def test_a_logo_is_shown_before_it_is_stored(paul: Client) -> None:
    file = io.BytesIO()
    Image.new("RGB", (420, 60), "#0b5d1e").save(file, "PNG")
    page = shown(paul, logo=SimpleUploadedFile("logo.png", file.getvalue(), content_type="image/png"))
    logo = page.select_one(".masthead__logo")
    assert logo is not None
    assert str(logo["src"]).startswith("data:image/")
    assert not Publication.objects.current().logo


def test_nothing_in_the_frame_acts(paul: Client) -> None:
    page = paul.post(PREVIEW, form())
    frame = paul.get("/admin/identity/frame/")
    for response in (page, frame):
        assert "script-src 'none'" in response["Content-Security-Policy"]
        assert "frame-ancestors 'self'" in response["Content-Security-Policy"]
    assert "no-store" in page["Cache-Control"]
    assert 'id="identity-preview"' in paul.get("/admin/publication/publication/1/change/").content.decode()
