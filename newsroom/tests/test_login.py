"""Where an editor lands after the login."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor() -> dict[str, str]:
    """An editor's credentials."""
    User.objects.create_user("editor", password="correct horse", is_staff=True)
    return {"username": "editor", "password": "correct horse"}


def test_the_login_page_leads_to_the_first_page(client: Client, editor: dict[str, str]) -> None:
    response = client.post("/admin/login/", editor)
    assert (response.status_code, response["Location"]) == (302, "/admin/")


@pytest.mark.parametrize("elsewhere", ["//evil.test/", "https://evil.test/", "/\\evil.test", "javascript:alert(1)"])
def test_it_leads_to_no_other_house(client: Client, editor: dict[str, str], elsewhere: str) -> None:
    response = client.post(f"/admin/login/?next={elsewhere}", editor | {"next": elsewhere})
    assert (response.status_code, response["Location"]) == (302, "/admin/")
