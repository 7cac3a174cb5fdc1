"""POST /subscribe/: what a well-filled form does."""

import pytest
from django.test import Client

from subscribers import terms
from subscribers.models import ConsentEvent, LegalVersion, Letter, Newsletter, Subscriber, Subscription
from subscribers.tests.conftest import Fill
from tests.cast import RITA, ask, confirmed

pytestmark = pytest.mark.django_db


def test_it_makes_a_pending_subscription_and_one_letter(browser: Client, newsletter: Newsletter, fill: Fill) -> None:
    response = browser.post("/subscribe/", fill())

    assert response.status_code == 303
    assert response["Location"] == "/subscribe/sent/"
    subscription = Subscription.objects.get()
    assert subscription.subscriber.address == RITA
    assert (subscription.state, subscription.cadence) == ("pending", "weekly")
    letter = Letter.objects.get()
    assert (letter.kind, letter.state) == ("confirm", "pending")
    assert list(letter.subscriptions.all()) == [subscription]


def test_it_records_the_texts_that_the_form_showed(
    browser: Client, newsletter: Newsletter, texts: list[LegalVersion], fill: Fill
) -> None:
    browser.post("/subscribe/", fill(), HTTP_USER_AGENT="Lynx", REMOTE_ADDR="198.51.100.77")

    event = ConsentEvent.objects.get()
    assert event.kind == "requested"
    assert event.newsletter_slug == "tech-news"
    assert event.cadence == "weekly"
    assert event.documents == [
        {"document": "privacy", "version": 1, "sha256": texts[1].sha256},
        {"document": "terms-of-use", "version": 1, "sha256": texts[0].sha256},
    ]
    assert event.form_text == terms.current().text
    assert "Privacy policy and the Terms of use" in event.form_text
    assert event.form_url.endswith("/articles/story/")
    assert event.origin.ip == "198.51.100.77"
    assert len(event.user_agent_sha256) == 64


def test_it_sets_no_cookie(browser: Client, newsletter: Newsletter, fill: Fill) -> None:
    assert not browser.get("/subscribe/").cookies
    assert not browser.post("/subscribe/", fill()).cookies
    assert not browser.get("/subscribe/sent/").cookies


def test_a_second_request_renews_the_first(newsletter: Newsletter) -> None:
    first = ask(RITA, newsletter).subscriptions.get()
    again = ask("RITA@reader.org", newsletter, cadence="instant").subscriptions.get()

    assert Subscriber.objects.count() == 1
    assert again.pk == first.pk
    assert again.request_number == first.request_number + 1
    assert again.cadence == "instant"


def test_a_request_for_a_confirmed_subscription_changes_nothing_and_says_so_by_mail(newsletter: Newsletter) -> None:
    before = confirmed(RITA, newsletter)
    ask(RITA, newsletter, cadence="weekly")

    after = Subscription.objects.get()
    assert (after.state, after.cadence, after.request_number) == ("confirmed", "daily", before.request_number)
    assert Letter.objects.latest("pk").kind == Letter.Kind.ALREADY


def test_one_letter_asks_for_all_newsletters_that_wait(
    browser: Client, newsletter: Newsletter, product: Newsletter, fill: Fill
) -> None:
    browser.post("/subscribe/", fill(newsletters=["tech-news", "product-updates"]))

    assert Letter.objects.count() == 1
    assert Letter.objects.get().subscriptions.count() == 2
    assert Subscription.objects.get(newsletter=product).cadence == "daily"


def test_a_newsletter_that_is_closed_cannot_be_asked_for(
    browser: Client, newsletter: Newsletter, product: Newsletter, fill: Fill
) -> None:
    Newsletter.objects.filter(pk=newsletter.pk).update(is_open=False)

    assert browser.post("/subscribe/", fill()).status_code == 422
    assert not Subscription.objects.exists()
