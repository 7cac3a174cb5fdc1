"""Who signs in, where an editor lands, and that nobody guesses for long."""

from typing import cast

import pytest
import redis
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import Client

from staff.attempts import AttemptsCache
from tests.table import rows

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse"


@pytest.fixture
def editor() -> User:
    return User.objects.create_user("editor", "editor@blocknews.example", PASSWORD, is_staff=True)


def sign_in(client: Client, login: str = "editor", password: str = PASSWORD, *, next_page: str = "") -> str:
    """Sign in, and return where that leads; nowhere when it is refused."""
    response = client.post("/admin/login/", {"login": login, "password": password, "next": next_page})
    return response["Location"] if response.status_code == 302 else ""


@rows("login", ["editor", "EDITOR", "editor@blocknews.example"])
def test_the_sign_in_page_leads_to_the_first_page(client: Client, editor: User, login: str) -> None:
    assert sign_in(client, login) == "/admin/"
    assert client.get("/admin/").status_code == 200


@rows("elsewhere", ["//evil.test/", "https://evil.test/", "/\\evil.test", "javascript:alert(1)", "https://localhost/"])
def test_it_leads_to_no_other_house(client: Client, editor: User, elsewhere: str) -> None:
    assert sign_in(client, next_page=elsewhere) == "/admin/"
    signed_in = client.get("/admin/login/", {"next": elsewhere})
    assert (signed_in.status_code, signed_in["Location"]) == (302, "/admin/")
    left = client.post("/admin/logout/", {"next": elsewhere})
    assert left["Location"] == "/admin/login/"


def test_it_leads_to_the_page_that_asked(client: Client, editor: User) -> None:
    asked = client.get("/admin/account/keys/")
    assert asked["Location"] == "/admin/login/?next=/admin/account/keys/"
    assert sign_in(client, next_page="/admin/account/keys/") == "/admin/account/keys/"


def test_the_sixth_wrong_password_is_refused_and_so_is_the_right_one_then(client: Client, editor: User) -> None:
    for _attempt in range(5):
        assert sign_in(client, password="wrong") == ""
    response = client.post("/admin/login/", {"login": "editor", "password": PASSWORD})
    assert "Too many attempts" in response.content.decode()
    assert not client.session.get("_auth_user_id")


def test_while_redis_is_away_a_process_counts_on_its_own(
    client: Client, editor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object, **_options: object) -> None:
        raise redis.ConnectionError

    for name in ("get", "set", "add", "delete"):
        monkeypatch.setattr(f"django.core.cache.backends.redis.RedisCache.{name}", away)
    monkeypatch.setattr(cast("AttemptsCache", caches["attempts"]), "_away_until", 0.0)
    test_the_sixth_wrong_password_is_refused_and_so_is_the_right_one_then(client, editor)


@rows("change", [{"is_staff": False}, {"is_active": False}])
def test_a_closed_account_cannot_sign_in_and_its_sessions_end(
    client: Client, editor: User, change: dict[str, bool]
) -> None:
    sign_in(client)
    User.objects.filter(pk=editor.pk).update(**change)
    assert client.get("/admin/")["Location"].startswith("/admin/login/")
    assert sign_in(client) == "/admin/account/closed/"
    assert client.get("/admin/")["Location"].startswith("/admin/login/")


def test_a_sign_in_begins_a_new_session(client: Client, editor: User) -> None:
    client.get("/admin/login/")
    session = client.session
    session["planted"] = "by somebody"
    session.save()
    client.cookies["sessionid"] = str(session.session_key)
    sign_in(client)
    assert client.session.session_key != session.session_key


def test_a_form_of_another_site_signs_nobody_in(editor: User) -> None:
    client = Client(enforce_csrf_checks=True)
    response = client.post("/admin/login/", {"login": "editor", "password": PASSWORD})
    assert response.status_code == 403


def test_nobody_signs_up(client: Client) -> None:
    for path in ("/admin/account/signup/", "/admin/account/sign-up/", "/accounts/signup/"):
        assert client.post(path, {"username": "eve", "password1": "x" * 20}).status_code in {302, 404}
    assert not User.objects.exists()
