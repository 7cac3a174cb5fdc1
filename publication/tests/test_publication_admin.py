"""Editors edit the one row, and what would not work later is refused now."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from pytest_django import Settings

from publication.models import THE_ROW, Publication
from tests.table import rows

CHANGE = f"/admin/publication/publication/{THE_ROW}/change/"
GOOD = {
    "name": "Block News",
    "strapline": "Markets",
    "owner": "Blends",
    "postal_address": "1 Street",
    "accent_colour": "#9b1c1c",
    "ink_colour": "#1c1917",
    "typeface": "broadsheet",
    "mail_format": "full",
    "sender_name": "",
    "sender_address": "news@example.com",
    "reply_to": "",
    "contact_address": "",
    "language": "en",
    "time_zone": "Asia/Bishkek",
}

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client: Client, settings: Settings, tmp_path: Path) -> Client:
    """A publisher at the admin."""
    settings.MEDIA_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    client.force_login(User.objects.create_superuser("publisher"))
    Publication.objects.current()
    return client


def save(editor: Client, **changes: Any) -> str:
    response = editor.post(CHANGE, GOOD | changes)
    assert response.status_code in {200, 302}
    return "" if response.status_code == 302 else response.content.decode()


def test_the_list_leads_to_the_row(editor: Client) -> None:
    Publication.objects.all().delete()
    response = editor.get("/admin/publication/publication/")
    assert response["Location"] == CHANGE
    page = editor.get(CHANGE).content.decode()
    for tab in ("Name", "Look", "Mail", "Languages", "Contact and place"):
        assert tab in page


def test_there_is_one_and_it_stays(editor: Client) -> None:
    assert editor.get("/admin/publication/publication/add/").status_code == 403
    assert editor.post(f"/admin/publication/publication/{THE_ROW}/delete/", {"post": "yes"}).status_code == 403
    assert Publication.objects.count() == 1


def test_saving(editor: Client) -> None:
    assert save(editor, sender_address="News@Straße.de", reply_to="desk@EXAMPLE.com") == ""
    row = Publication.objects.get()
    assert (row.name, row.time_zone) == ("Block News", "Asia/Bishkek")
    assert (row.sender_address, row.reply_to) == ("News@xn--strae-oqa.de", "desk@example.com")
    assert row.sender().name == "Block News"


@rows("character", ["\x0b", "\u2028", "\r\n", "\t"])
def test_a_line_break_in_a_name_is_a_blank(editor: Client, character: str) -> None:
    assert save(editor, name=f"Block{character}News") == ""
    assert Publication.objects.get().name == "Block News"


@rows(
    ("changes", "sentence"),
    [
        ({"name": "Block\u2066News"}, "is invisible"),
        ({"sender_name": "News\u202e"}, "is invisible"),
        ({"accent_colour": "red"}, "Use a colour such as"),
        ({"accent_colour": "#fff2a8"}, "too light to be read on white. Try #"),
        ({"time_zone": "Berlin"}, "Europe/Berlin"),
        ({"time_zone": "localtime"}, "Europe/Berlin"),
        ({"sender_address": "news@localhost"}, "dot in it|valid email"),
        ({"sender_address": ""}, "required"),
    ],
)
def test_what_would_fail_later_is_refused(editor: Client, changes: dict[str, str], sentence: str) -> None:
    page = save(editor, **changes)
    assert any(part in page for part in sentence.split("|"))
    assert Publication.objects.get().name == "Our publication"


def test_a_logo_is_kept_clean_and_under_a_name_of_ours(editor: Client, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("RGBA", (1_200, 300), (200, 0, 0, 99)).save(file, "PNG")
    assert save(editor, logo=SimpleUploadedFile("../My <logo>.png", file.getvalue() + b"SECRET", "image/png")) == ""
    [stored] = (tmp_path / "publication").iterdir()
    assert stored.suffix == ".png"
    assert "logo" not in stored.name
    assert b"SECRET" not in stored.read_bytes()
    with Image.open(stored) as picture:
        assert picture.size == (800, 200)
    assert save(editor) == ""
    assert Publication.objects.get().logo.name == f"publication/{stored.name}"
    assert save(editor, **{"logo-clear": "on"}) == ""
    assert not Publication.objects.get().logo


def test_a_logo_that_is_no_picture_is_refused(editor: Client, tmp_path: Path) -> None:
    upload = SimpleUploadedFile("logo.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/png")
    assert "not a picture that can be used" in save(editor, logo=upload)
    assert not (tmp_path / "publication").exists()


@pytest.mark.parametrize(
    ("group", "may_see", "may_change"), [("Author", False, False), ("Editor", True, False), ("Publisher", True, True)]
)
def test_who_may(editor: Client, group: str, may_see: bool, may_change: bool) -> None:
    person = User.objects.create_user("person", is_staff=True)
    person.groups.add(Group.objects.get(name=group))
    editor.force_login(person)
    assert (editor.get(CHANGE).status_code == 200) is may_see
    assert (editor.post(CHANGE, GOOD).status_code == 302) is may_change
