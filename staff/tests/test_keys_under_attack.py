"""Codes and passwords that are guessed, replayed or looked up: each is good once, and no answer says who is here."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from publication.models import Publication
from staff import invitations, limits, links, roles, team
from staff.models import LimitKind, PasswordRequest
from staff.role_names import Role
from tests.cast import account
from tests.table import rows

pytestmark = pytest.mark.django_db

SECRET = "JBSWY3DPEHPK3PXP"


@pytest.fixture
def petra(publication: Publication) -> User:
    """A publisher with an authenticator app."""
    person = account("petra", "Publisher")
    TOTP.activate(person, SECRET)
    return person


def code() -> str:
    return str(format_hotp_value(hotp_value(SECRET, next(iter(yield_hotp_counters_from_time())))))


def sign_in(client: Client, login: str, *, is_right: bool = True) -> Any:
    return client.post("/admin/login/", {"login": login, "password": "secret" if is_right else "wrong"})


def second_step(value: str) -> Any:
    """The page for the code, after the right password in a new browser."""
    client = Client()
    assert sign_in(client, "petra")["Location"] == "/admin/account/keys/code/"
    return client.post("/admin/account/keys/code/", {"code": value})


def test_a_code_of_the_app_is_good_once_wherever_it_is_used(petra: User) -> None:
    value = code()
    assert second_step(value)["Location"] == "/admin/"
    assert second_step(value).status_code == 200
    beside = {"login": "petra", "password": "secret", "code": value}
    assert Client().post("/admin/account/again/", beside).status_code == 403


def test_the_sixth_wrong_code_is_refused_and_so_is_the_right_one_then(petra: User) -> None:
    for _attempt in range(5):
        assert second_step("000000").status_code == 200
    assert "Too many attempts" in second_step(code()).content.decode()
    beside = {"login": "petra", "password": "secret", "code": code()}
    assert "Too many attempts" in Client().post("/admin/account/again/", beside).json()["error"]


def test_a_network_address_that_tries_many_names_has_to_wait(petra: User) -> None:
    for number in range(10):
        sign_in(Client(), f"nobody{number}")
    assert "Too many attempts" in sign_in(Client(), "petra").content.decode()


def test_a_network_address_that_asks_for_many_passwords_has_to_wait(petra: User) -> None:
    def ask(number: int) -> int:
        return Client().post("/admin/account/password/", {"email": f"nobody{number}@blocknews.example"}).status_code

    assert [ask(number) for number in range(21)] == [302] * 20 + [429]
    assert PasswordRequest.objects.count() == 20


@rows("login", ["petra", "petra@blocknews.example", "nadia@blocknews.example"])
def test_a_sign_in_does_the_same_work_for_those_who_are_here(
    petra: User, login: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nadia signs in with her address, as everybody who was invited."""
    User.objects.create_user("nadia@blocknews.example", "nadia@blocknews.example", "secret", is_staff=True)
    hashed, encode = 0, MD5PasswordHasher.encode

    def count(*args: Any) -> str:
        nonlocal hashed
        hashed += 1
        return encode(*args)

    monkeypatch.setattr(MD5PasswordHasher, "encode", count)

    def tried(name: str) -> tuple[int, str, int]:
        nonlocal hashed
        hashed = 0
        response = sign_in(Client(), name, is_right=False)
        page = re.sub(r'(value|nonce)="[^"]*"', "", response.content.decode())
        return response.status_code, page, hashed

    here, not_here = tried(login), tried("nobody")
    assert here == not_here
    assert here[2] == 1


def test_a_link_for_nobody_looks_like_one_that_is_too_old(petra: User) -> None:
    pages = [
        re.sub(r'(value|nonce)="[^"]*"', "", Client().get(address, follow=True).content.decode())
        for address in ("/admin/account/password/new/zzzz-abc-1234/", f"/admin/account/password/new/{petra.pk}-abc-12/")
    ]
    assert "not good any more" in pages[0]
    assert pages[0] == pages[1]


FALLS: dict[str, Callable[[User], object]] = {
    "closed": lambda person: team.close(person=person, actor=None, now=timezone.now()),
    "demoted": lambda person: team.change_role(person=person, role=Role.EDITOR, actor=None, now=timezone.now()),
    "limited": lambda person: limits.change(
        user=person, kind=LimitKind.NEWSLETTER, chosen=[1], actor=None, now=timezone.now()
    ),
    "deleted": lambda person: person.delete(),
}


@rows("fall", list(FALLS))
def test_an_invitation_is_worth_what_its_sender_may_do_today(
    petra: User, fall: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "names", lambda kind: {1: "Tech News"})
    User.objects.create_superuser("chief")
    sent = invitations.invite(address="friend@evil.test", role=Role.PUBLISHER, actor=petra, now=timezone.now())
    address = "/admin/" + links.join(sent).partition("/admin/")[2]
    assert Client().get(address).status_code == 200
    FALLS[fall](petra)
    assert Client().get(address).status_code == 410
    assert Client().post(address, {"name": "Eve", "password": "a long enough password"}).status_code == 410
    assert roles.administrators().count() == 1
    assert not User.objects.filter(username="friend@evil.test").exists()
