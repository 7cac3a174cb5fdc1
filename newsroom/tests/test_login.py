"""Where the editors' door leads."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor() -> dict[str, str]:
    """What somebody of the house types into the login page."""
    User.objects.create_user("editor", password="correct horse", is_staff=True)
    return {"username": "editor", "password": "correct horse"}


def test_the_login_page_leads_to_the_first_page(client: Client, editor: dict[str, str]) -> None:
    answer = client.post("/admin/login/", editor)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


@pytest.mark.parametrize("elsewhere", ["//evil.test/", "https://evil.test/", "/\\evil.test", "javascript:alert(1)"])
def test_it_leads_to_no_other_house(client: Client, editor: dict[str, str], elsewhere: str) -> None:
    answer = client.post(f"/admin/login/?next={elsewhere}", editor | {"next": elsewhere})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
