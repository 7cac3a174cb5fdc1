"""Nobody works without a second factor, a session ends by itself, and one can sign in again beside a form."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from pytest_django.fixtures import Settings

from staff import sessions
from tests.cast import account, signed_in
from tests.table import rows

pytestmark = pytest.mark.django_db

SECRET = "JBSWY3DPEHPK3PXP"
# What somebody without a second factor may open, or what asks for no session.
FREE = {
    "/admin/login/", "/admin/logout/", "/admin/account/keys/", "/admin/account/keys/app/",
    "/admin/account/keys/passkeys/add/", "/admin/account/reauthenticate/", "/admin/account/again/",
}  # fmt: skip


@pytest.fixture
def petra() -> User:
    return account("petra", "Publisher")


def code() -> str:
    return str(format_hotp_value(hotp_value(SECRET, next(iter(yield_hotp_counters_from_time())))))


def addresses(patterns: list[URLPattern | URLResolver], before: str = "/") -> Iterator[str]:
    """One address for each pattern of the desk."""
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, route)
        else:
            filled = re.sub(r"<uuid:\w+>", "7f4df51e-0c1e-4a7c-8f5a-0b0a5d7b2a11", route)
            filled = re.sub(r"<(int|path|slug|str|\w+)?:?\w+>", "1", filled)
            yield re.sub(r"\(\?P<\w+>.*\)\$$|[\^$]", "x", filled)


def test_no_page_of_the_desk_answers_without_a_second_factor(petra: User, settings: Settings) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    User.objects.filter(pk=petra.pk).update(is_superuser=True)
    client = signed_in(petra)
    desk = [address for address in addresses(get_resolver().url_patterns) if address.startswith("/admin/")]
    assert len(desk) > 100
    opened = [
        (method, address)
        for address in desk
        if address not in FREE
        for method in ("get", "post")
        if getattr(client, method)(address).headers.get("Location") != "/admin/account/keys/"
    ]
    assert opened == []
    by_script = client.get("/admin/articles/article/", headers={"X-Requested-With": "fetch"})
    assert (by_script.status_code, by_script.json()) == (401, {"login": "/admin/account/keys/"})


def test_elsewhere_who_has_none_is_a_reader(petra: User, settings: Settings) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    response = signed_in(petra).get("/admin/account/keys/").wsgi_request
    assert response.user.is_authenticated
    assert not signed_in(petra).get("/").wsgi_request.user.is_authenticated
    TOTP.activate(petra, SECRET)
    assert signed_in(petra).get("/").wsgi_request.user.is_authenticated


def test_who_sets_one_up_is_let_in_with_codes_for_a_bad_day(
    petra: User, settings: Settings, django_capture_on_commit_callbacks: Any
) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    client, elsewhere = signed_in(petra), signed_in(petra)
    page = client.get("/admin/account/keys/app/").content.decode()
    assert client.get("/admin/")["Location"] == "/admin/account/keys/"
    secret = client.session["mfa.totp.secret"]
    assert secret in page
    value = format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post("/admin/account/keys/app/", {"code": value})
    assert response["Location"] == "/admin/account/keys/recovery-codes/"
    assert client.get("/admin/").status_code == 200
    assert Authenticator.objects.filter(user=petra).count() == 2
    assert elsewhere.get("/admin/")["Location"].startswith("/admin/login/"), "a session without the key went on"


@rows(("later", "in_between", "open_"), [
    (timedelta(minutes=59), None, True),
    (timedelta(minutes=61), None, False),
    (timedelta(minutes=61), {}, True),
    (timedelta(minutes=61), {"X-Background": "1"}, False),
])  # fmt: skip
def test_a_session_that_lies_idle_ends(
    petra: User, later: timedelta, in_between: dict[str, str] | None, open_: bool
) -> None:
    client, now = signed_in(petra), timezone.now()
    if in_between is not None:
        with time_machine.travel(now + timedelta(minutes=30)):
            assert client.get("/admin/articles/tag/", headers=in_between).status_code == 200
    with time_machine.travel(now + later):
        assert (client.get("/admin/articles/tag/").status_code == 200) is open_
        by_script = client.get("/admin/articles/tag/", headers={"X-Requested-With": "fetch"})
        assert (by_script.status_code == 401) is not open_
    if not open_:
        assert by_script.json() == {"login": "/admin/login/"}


def test_twelve_hours_are_the_end_however_busy_somebody_is(petra: User) -> None:
    client, now = signed_in(petra), timezone.now()
    for half_hours in range(1, 24):
        with time_machine.travel(now + timedelta(minutes=30 * half_hours)):
            assert client.get("/admin/articles/tag/").status_code == 200
    with time_machine.travel(now + timedelta(hours=12, minutes=1)):
        assert client.get("/admin/articles/tag/").status_code == 302


def again(client: Client, **fields: str) -> Any:
    return client.post("/admin/account/again/", fields, headers={"X-Requested-With": "fetch"})


def test_one_signs_in_again_beside_a_form(petra: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.get("/admin/login/")
    token = client.cookies["csrftoken"].value
    assert client.get("/admin/account/again/").status_code == 401
    assert again(client, login="petra", password="secret").status_code == 403, "without the token of a form"
    wrong = again(client, login="petra", password="wrong", csrfmiddlewaretoken=token)
    assert (wrong.status_code, set(wrong.json())) == (403, {"error"})
    TOTP.activate(petra, SECRET)
    half = again(client, login="petra", password="secret", csrfmiddlewaretoken=token)
    assert (half.status_code, half.json()["code"]) == (403, True)
    assert client.get("/admin/account/again/").status_code == 401, "the password alone signs nobody in"
    bad = again(client, login="petra", password="secret", code="000000", csrfmiddlewaretoken=token)
    assert bad.json()["code"] is True
    right = again(client, login="petra", password="secret", code=code(), csrfmiddlewaretoken=token)
    assert (right.status_code, right.json()["name"]) == (200, "petra")
    saved = client.post("/admin/articles/tag/add/", {"name": "x", "csrfmiddlewaretoken": right.json()["csrf"]})
    assert saved.status_code == 200


@rows(
    "credential", ["", "{}", "nonsense", '{"response": {"userHandle": "MQ"}}', '{"id": "AAAA", "type": "public-key"}']
)
def test_what_no_passkey_said_signs_nobody_in_beside_a_form(petra: User, credential: str) -> None:
    client = Client()
    client.get("/admin/account/keys/passkeys/sign-in/", headers={"Accept": "application/json"})
    response = again(client, credential=credential)
    assert (response.status_code, set(response.json())) == (403, {"error"})
    assert client.get("/admin/account/again/").status_code == 401


def test_a_recovery_code_is_good_once(petra: User) -> None:
    TOTP.activate(petra, SECRET)
    spare = RecoveryCodes.activate(petra).generate_codes()[0]
    assert again(Client(), login="petra", password="secret", code=spare).status_code == 200
    assert again(Client(), login="petra", password="secret", code=spare).status_code == 403


def test_a_changed_password_ends_the_other_sessions(petra: User) -> None:
    here, there = signed_in(petra), signed_in(petra)
    new = "a far longer password"
    changed = here.post("/admin/password_change/", {"oldpassword": "secret", "password1": new, "password2": new})
    assert changed.status_code == 302, changed.content.decode()
    assert here.get("/admin/articles/tag/").status_code == 200
    assert there.get("/admin/articles/tag/").status_code == 302
    assert UserSession.objects.filter(user=petra).count() == 1


@rows(("user_agent", "words"), [
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
    ("", "Unknown device"),
])  # fmt: skip
def test_a_device_has_a_name(user_agent: str, words: str) -> None:
    assert sessions.device(user_agent) == words
