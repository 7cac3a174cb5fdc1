"""The sign-up block of every page: one field, cheap, without cookies, and the same everywhere and at every hour."""

from datetime import UTC, datetime

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from subscribers import context
from subscribers.models import Newsletter
from tests.cast import make_newsletter

pytestmark = pytest.mark.django_db


def block(path: str = "/articles/story/") -> str:
    request = RequestFactory().get(path)
    request.user = AnonymousUser()
    return render_to_string("subscribers/_signup_block.html", request=request)


def test_it_costs_one_query_however_much_is_offered(newsletter: Newsletter, django_assert_num_queries: object) -> None:
    for number in range(3):
        make_newsletter(f"More {number}", slug=f"more-{number}")
    with django_assert_num_queries(1):  # type: ignore[operator]  # pytest-django's fixture
        assert "signup_address" in block()


def test_it_costs_nothing_where_it_is_not_shown(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]  # pytest-django's fixture
        context.signup_block(RequestFactory().get("/"))


def test_it_asks_for_an_address_and_nothing_else(newsletter: Newsletter) -> None:
    fields = BeautifulSoup(block(), "html5lib").select("form [name]")

    assert [field["name"] for field in fields] == ["address"]


def test_it_is_the_same_on_every_page_and_at_every_hour(newsletter: Newsletter) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC)):
        first = block("/")

    assert block("/sections/markets/") == first


def test_on_a_newsletters_own_page_that_one_is_chosen(
    newsletter: Newsletter, product: Newsletter, browser: Client
) -> None:
    form = BeautifulSoup(browser.get("/newsletters/tech-news/").content, "html5lib").select_one("form.signup__form")

    assert form is not None
    assert [field["value"] for field in form.select("[name=newsletters]")] == ["tech-news"]


def test_it_is_absent_while_nothing_is_open(newsletter: Newsletter) -> None:
    Newsletter.objects.update(is_open=False)

    assert "<form" not in block()


def test_it_stands_on_a_legal_page_and_sets_no_cookie(newsletter: Newsletter, browser: Client) -> None:
    response = browser.get("/legal/privacy/")

    assert b'name="address"' in response.content
    assert not response.cookies
    assert "Cookie" not in response.get("Vary", "")
