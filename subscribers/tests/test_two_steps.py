"""A sign-up has two steps: an address, which does nothing; then the choice and the terms, which are recorded."""

from datetime import timedelta

import pytest
import time_machine
from bs4 import BeautifulSoup, Tag
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from subscribers import form_faults, signup_breaker, terms
from subscribers.models import ConsentEvent, LegalVersion, Letter, Newsletter, Subscriber, Subscription
from subscribers.tests.conftest import Fill, form_token
from tests.cast import BOB, RITA, confirmed, make_newsletter
from tests.table import rows

pytestmark = pytest.mark.django_db


def begin(browser: Client, **changes: object) -> BeautifulSoup:
    response = browser.post("/subscribe/", {"address": RITA} | changes)
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store, private"
    # Under no-referrer the next POST would say "Origin: null" and be refused.
    assert response["Referrer-Policy"] == "same-origin"
    return BeautifulSoup(response.content, "html5lib")


def filled_in(page: BeautifulSoup) -> dict[str, list[str]]:
    """What a browser would send of this page's form."""
    data: dict[str, list[str]] = {}
    for field in page.select("form.signup__form input[name]"):
        if field.get("type") != "checkbox" or field.has_attr("checked"):
            data.setdefault(str(field["name"]), []).append(str(field.get("value", "")))
    for select in page.select("form.signup__form select"):
        option = select.select_one("option[selected]")
        assert isinstance(option, Tag)
        data[str(select["name"])] = [str(option["value"])]
    return data


def test_both_steps_lead_to_a_letter_and_the_record_has_the_texts_and_the_page(
    browser: Client, newsletter: Newsletter, texts: list[LegalVersion]
) -> None:
    response = browser.post(
        "/subscribe/", {"address": RITA}, headers={"referer": "http://testserver/articles/story/?a=1"}
    )
    second = BeautifulSoup(response.content, "html5lib")
    with time_machine.travel(timezone.now() + timedelta(seconds=30)):
        sent = browser.post("/subscribe/", filled_in(second) | {"consent": "on"})

    assert sent["Location"] == "/subscribe/sent/"
    event = ConsentEvent.objects.get()
    assert event.form_text == terms.current().text
    assert {document["sha256"] for document in event.documents} == {text.sha256 for text in texts}
    assert event.form_url.endswith(":8000/articles/story/")
    assert Letter.objects.get().kind == Letter.Kind.CONFIRM


def test_the_first_step_asks_nobody_about_the_address(browser: Client, newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter)
    signup_breaker.look(now=timezone.now())
    pages = []
    for address in (RITA, BOB):
        with CaptureQueriesContext(connection) as work, time_machine.travel("2026-03-01T12:00Z", tick=False):
            page = browser.post("/subscribe/", {"address": address}).content.decode()
        pages.append((page.replace(address, ""), [query["sql"] for query in work.captured_queries]))

    assert pages[0] == pages[1]
    assert not any("subscribers_subscriber" in statement for statement in pages[0][1])
    assert not Subscriber.objects.filter(address=BOB).exists()


def test_the_terms_are_there_to_be_read_and_the_box_is_empty(browser: Client, newsletter: Newsletter) -> None:
    page = begin(browser, consent="on")

    assert {"/legal/terms-of-use/1/", "/legal/privacy/1/"} <= {str(link["href"]) for link in page.select("main a")}
    box = page.select_one("[name=consent]")
    assert isinstance(box, Tag)
    assert not box.has_attr("checked")


def test_what_came_with_the_address_is_chosen_already(
    browser: Client, newsletter: Newsletter, product: Newsletter
) -> None:
    data = filled_in(begin(browser, newsletters="product-updates", **{"cadence_product-updates": "instant"}))

    assert data["newsletters"] == ["product-updates"]
    assert data["cadence_product-updates"] == ["instant"]
    assert filled_in(begin(browser)).get("newsletters") is None


@rows(("default", "chosen"), [("", "daily"), ("weekly", "weekly"), ("monthly", "daily")])
def test_who_chooses_no_cadence_gets_the_newsletters_own_if_it_is_offered(
    browser: Client, newsletter: Newsletter, fill: Fill, default: str, chosen: str
) -> None:
    Newsletter.objects.update(default_cadence=default)

    assert filled_in(begin(browser))["cadence_tech-news"] == [chosen]
    browser.post("/subscribe/", fill(**{"cadence_tech-news": None}))
    assert Subscription.objects.get().cadence == chosen


def test_one_newsletter_needs_no_choice(browser: Client, newsletter: Newsletter) -> None:
    page = begin(browser)

    assert filled_in(page)["newsletters"] == ["tech-news"]
    assert not page.select("fieldset")


def test_without_legal_texts_the_sentence_still_reads(browser: Client, db: None) -> None:
    make_newsletter()

    assert "I want to receive" in begin(browser).get_text()


def test_a_form_on_another_website_may_begin_but_not_agree(browser: Client, newsletter: Newsletter) -> None:
    elsewhere = {"origin": "https://evil.test", "referer": "https://evil.test/"}
    second = browser.post("/subscribe/", {"address": RITA}, headers=elsewhere)
    data = {"address": RITA, "newsletters": ["tech-news"], "consent": "on", "form_token": form_token()}
    refused = browser.post("/subscribe/", data, headers=elsewhere)

    assert (second.status_code, refused.status_code) == (200, 422)
    box = BeautifulSoup(refused.content, "html5lib").select_one("[name=consent]")
    assert isinstance(box, Tag)
    assert not box.has_attr("checked")
    assert not Subscriber.objects.exists()


def test_a_wrong_address_is_said_in_the_title_above_the_form_and_at_the_field(
    browser: Client, newsletter: Newsletter, product: Newsletter
) -> None:
    response = browser.post("/subscribe/", {"address": "rita@reader", "newsletters": "tech-news"})
    page = BeautifulSoup(response.content, "html5lib")

    assert response.status_code == 422
    assert page.title is not None
    assert page.title.get_text(strip=True).startswith("Error:")
    summary = page.select_one("[role=alert][autofocus][tabindex='-1']")
    field = page.select_one("#signup_address[aria-invalid=true][aria-describedby=signup_address_error]")
    sentence = page.select_one("#signup_address_error")
    assert isinstance(summary, Tag)
    assert isinstance(field, Tag)
    assert isinstance(sentence, Tag)
    link = summary.select_one("a[href='#signup_address']")
    assert isinstance(link, Tag)
    assert link.get_text() == sentence.get_text()
    assert field["value"] == "rita@reader"
    assert filled_in(page)["newsletters"] == ["tech-news"]


def test_a_form_that_was_not_sent_has_no_faults() -> None:
    assert form_faults.WithFaults().faults() == []
