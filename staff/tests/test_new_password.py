"""A forgotten password: one letter, one link, and no word about whether there is an account."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from publication.models import Publication
from staff import tasks
from staff.models import PasswordRequest
from tests.cast import account, signed_in

pytestmark = pytest.mark.django_db

PASSWORD = "a far longer password"


@pytest.fixture
def edda(publication: Publication) -> User:
    return account("edda", "Editor")


def ask(client: Client, address: str) -> Any:
    return client.post("/admin/account/password/", {"email": address}, follow=True)


def test_the_page_says_and_does_the_same_for_every_address(edda: User) -> None:
    client, pages, works = Client(), [], []
    ask(Client(), "warm@blocknews.example")
    for address in ("edda@blocknews.example", "nobody@blocknews.example"):
        with CaptureQueriesContext(connection) as work:
            Client().post("/admin/account/password/", {"email": address})
        works.append([query["sql"].split()[0] for query in work.captured_queries])
        pages.append(re.sub(r'(value|nonce)="[^"]+"', "", ask(client, address).content.decode()))
    assert works[0] == works[1]
    assert pages[0] == pages[1]
    assert "If there is an account" in pages[0]
    for pk in PasswordRequest.objects.values_list("pk", flat=True):
        tasks.mail_password.run(pk)
    assert {letter.to[0] for letter in mail.outbox} == {"edda@blocknews.example"}
    assert not PasswordRequest.objects.exists()


def test_who_has_no_password_is_led_to_a_link_for_the_first_one(edda: User) -> None:
    edda.set_unusable_password()
    edda.save()
    browser = signed_in(edda)
    for act in (browser.get, browser.post):
        page = act("/admin/password_change/", follow=True)
        assert page.request["PATH_INFO"] == "/admin/account/password/"
        assert "You have no password yet." in page.content.decode()


def test_the_link_is_good_once_and_ends_all_sessions(edda: User) -> None:
    browser = signed_in(edda)
    ask(Client(), "EDDA@blocknews.example")
    tasks.mail_password.run(PasswordRequest.objects.get().pk)
    [letter] = mail.outbox
    [link] = set(re.findall(r"/admin/account/password/new/\S+/", str(letter.body)))
    assert isinstance(letter, mail.EmailMultiAlternatives)
    assert link in str(letter.alternatives[0])
    client = Client()
    form = client.get(link, follow=True)
    assert "key" not in form.request["PATH_INFO"].rpartition("-")[2]
    done = client.post(form.request["PATH_INFO"], {"password1": PASSWORD, "password2": PASSWORD}, follow=True)
    assert "Your password is changed" in done.content.decode()
    assert User.objects.get(pk=edda.pk).check_password(PASSWORD)
    assert browser.get("/admin/articles/tag/").status_code == 302
    assert "not good any more" in Client().get(link, follow=True).content.decode()


def test_nobody_floods_a_mailbox(edda: User) -> None:
    for _request in range(5):
        ask(Client(), "edda@blocknews.example")
    assert ask(Client(), "edda@blocknews.example").status_code == 429
    assert PasswordRequest.objects.count() == 5


def test_a_closed_account_gets_no_letter(edda: User) -> None:
    User.objects.update(is_active=False)
    ask(Client(), "edda@blocknews.example")
    tasks.mail_password.run(PasswordRequest.objects.get().pk)
    assert mail.outbox == []
