"""Readers who sign up in a language go on in it: the record, the letters, the pages behind their links."""

import hashlib

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from publication.models import Publication
from subscribers import consent, links, terms
from subscribers.letters import render
from subscribers.models import ConsentEvent, Letter, Newsletter, Subscriber, Subscription
from subscribers.tests.conftest import Fill

pytestmark = pytest.mark.django_db


@pytest.fixture
def russian(db: None) -> Publication:
    """A publication in English that has its pages in Russian as well."""
    publication = Publication.objects.current()
    publication.further_languages = ["ru"]
    publication.save()
    return publication


def soup(content: bytes) -> BeautifulSoup:
    return BeautifulSoup(content, "html5lib")


def declared(content: bytes) -> str:
    return str(soup(content).html["lang"])  # type: ignore[index]  # every page has an element html


def test_a_reader_who_signs_up_in_russian_goes_on_in_russian(
    russian: Publication, browser: Client, newsletter: Newsletter, fill: Fill
) -> None:
    with translation.override("ru"):
        sentence = terms.current().text
        filled = fill()
    response = browser.post("/ru/subscribe/", filled)
    assert response["Location"] == "/ru/subscribe/sent/", response.content.decode()

    event = ConsentEvent.objects.get()
    assert event.form_text == sentence
    assert event.form_text.startswith("Я принимаю документы «Privacy policy» и «Terms of use»")
    assert (event.locale, event.form_text_sha256) == ("ru", hashlib.sha256(sentence.encode()).hexdigest())
    reader = Subscriber.objects.get()
    assert reader.language == "ru"

    with translation.override("de"):  # whatever the worker spoke before
        mail = render.build(letter=Letter.objects.get(), now=timezone.now())
        assert translation.get_language() == "de"
    assert mail.subject.startswith("Пожалуйста, подтвердите подписку")
    assert "Ссылка действует 72 часа." in str(mail.body)
    assert '<html lang="ru"' in str(mail.alternatives[0][0])

    path = links.confirm_url(subscriptions=reader.subscriptions.all()).removeprefix("http://testserver")
    path = path[path.index("/confirm/") :]
    assert declared(browser.get(path).content) == "ru"
    page = browser.post(path).content.decode()
    assert "Спасибо. Теперь вы будете получать:" in page
    assert "еженедельно" in page
    confirmed = ConsentEvent.objects.get(kind=ConsentEvent.Kind.CONFIRMED)
    assert (confirmed.locale, confirmed.form_text) == ("ru", sentence)
    assert consent.verify() is None


def test_a_form_of_another_language_is_agreed_to_again(
    russian: Publication, browser: Client, newsletter: Newsletter, fill: Fill
) -> None:
    response = browser.post("/ru/subscribe/", fill())  # its seal is that of the English sentence
    assert response.status_code == 422
    page = soup(response.content)
    assert "подтвердите согласие ещё раз" in page.get_text()
    assert not page.select_one("#signup_consent").has_attr("checked")  # type: ignore[union-attr]  # it is there
    assert not Subscriber.objects.exists()


def test_only_readers_themselves_change_the_language_of_their_mail(
    russian: Publication, browser: Client, rita: Subscription, product: Newsletter, fill: Fill
) -> None:
    reader = rita.subscriber
    with translation.override("ru"):
        asked = fill(newsletters=["product-updates"])
    assert browser.post("/ru/subscribe/", asked).status_code == 303
    reader.refresh_from_db()
    assert reader.language != "ru"

    path = reverse("preferences", args=[links.preferences_token(subscriber=reader)])
    assert [option["value"] for option in soup(browser.get(path).content).select("#language option")] == ["en", "ru"]
    assert browser.post(path, {"action": "language", "language": "tlh"}).status_code == 422
    browser.post(path, {"action": "language", "language": "ru"})
    reader.refresh_from_db()
    assert reader.language == "ru"
    page = browser.get(path)
    assert declared(page.content) == "ru"
    assert "Отписаться от всего" in page.content.decode()

    leave = reverse("unsubscribe", args=[links.unsubscribe_token(subscription=rita)])
    assert browser.post(leave, {"List-Unsubscribe": "One-Click"}).content.decode() == "Вы отписались.\n"


def test_nobody_is_asked_for_a_language_where_there_is_one(browser: Client, rita: Subscription) -> None:
    page = browser.get(reverse("preferences", args=[links.preferences_token(subscriber=rita.subscriber)]))
    assert not soup(page.content).select("#language")
