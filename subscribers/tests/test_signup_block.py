"""The sign-up block of every page: cheap, without cookies, bound to the page that shows it."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from subscribers import context, terms
from subscribers.models import Newsletter
from tests.cast import make_newsletter

pytestmark = pytest.mark.django_db


def block(path: str = "/articles/story/") -> str:
    request = RequestFactory().get(path)
    request.user = AnonymousUser()
    return render_to_string("subscribers/_signup_block.html", request=request)


def test_it_costs_two_queries_however_much_is_offered(
    newsletter: Newsletter, django_assert_num_queries: object
) -> None:
    for number in range(3):
        make_newsletter(f"More {number}", slug=f"more-{number}")
    with django_assert_num_queries(2):  # type: ignore[operator]  # pytest-django's fixture
        assert "More 2" in block()


def test_it_costs_nothing_where_it_is_not_shown(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]  # pytest-django's fixture
        context.signup_block(RequestFactory().get("/"))


def test_one_newsletter_needs_no_choice(newsletter: Newsletter) -> None:
    html = block()

    assert '<input type="hidden" name="newsletters" value="tech-news">' in html
    assert "<fieldset" not in html


def test_it_is_absent_while_nothing_is_open(newsletter: Newsletter) -> None:
    Newsletter.objects.update(is_open=False)

    assert "<form" not in block()


def test_its_links_lead_to_both_texts(newsletter: Newsletter) -> None:
    html = block()

    assert 'href="/legal/terms-of-use/1/"' in html
    assert 'href="/legal/privacy/1/"' in html
    assert "checked" not in html.split('name="consent"')[1].split(">")[0]


def test_it_stands_on_a_legal_page_and_sets_no_cookie(newsletter: Newsletter, browser: Client) -> None:
    response = browser.get("/legal/privacy/")

    assert b'name="form_token"' in response.content
    assert not response.cookies
    assert "Cookie" not in response.get("Vary", "")


def test_without_legal_texts_the_sentence_still_reads(db: None) -> None:
    make_newsletter()

    assert terms.current().text.startswith("I want to receive")
    assert "I want to receive" in block()
