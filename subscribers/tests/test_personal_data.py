"""What a reader may do with what is stored about them: read it, take it along, have it erased."""

from datetime import timedelta

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.test import Client
from django.utils import timezone

from mailkit import addresses
from subscribers import consent, links
from subscribers.models import ConsentEvent, ConsentOrigin, Letter, Newsletter, Subscriber, Subscription, Suppression
from tests.cast import BOB, RITA, confirmed
from tests.table import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(rita: Subscription) -> str:
    """Rita's link."""
    return f"/preferences/{links.preferences_token(subscriber=rita.subscriber)}/"


def test_the_file_has_everything_of_rita_and_nothing_of_bob(
    browser: Client, path: str, rita: Subscription, newsletter: Newsletter
) -> None:
    confirmed(BOB, newsletter)
    Subscriber.objects.filter(pk=rita.subscriber_id).update(time_zone="Asia/Bishkek", mail_hour=7)
    response = browser.get(f"{path}data.json")
    data = response.json()

    assert response["Content-Disposition"] == 'attachment; filename="my-data.json"'
    assert "no-store" in response["Cache-Control"]
    assert data["address"] == RITA
    assert (data["time_zone"], data["mail_hour"], data["quiet_hours"]) == ("Asia/Bishkek", 7, [None, None])
    assert [(row["newsletter"], row["cadence"], row["state"]) for row in data["subscriptions"]] == [
        ("tech-news", "daily", "confirmed")
    ]
    assert [row["kind"] for row in data["consent"]] == ["requested", "confirmed"]
    assert {row["ip"] for row in data["consent"]} == {"198.51.100.77"}
    assert {(text["document"], text["is_as_shown"]) for text in data["texts"]} == {
        ("privacy", True),
        ("terms-of-use", True),
    }
    assert all("Be kind." in text["html"] for text in data["texts"])
    assert {row["kind"] for row in data["letters"]} == {"confirm", "welcome"}
    assert data["copies"] == []
    assert BOB not in response.content.decode()


def test_the_page_shows_each_text_as_it_was_agreed_to(browser: Client, path: str, rita: Subscription) -> None:
    page = BeautifulSoup(browser.get(f"{path}data/").content, "html5lib")
    event = ConsentEvent.objects.filter(kind="confirmed").get()

    assert event.form_text in [words.get_text() for words in page.select(".settings__words")]
    for shown in event.documents:
        assert page.select(f"a[href='/legal/{shown['document']}/{shown['version']}/']")
        assert shown["sha256"] in page.get_text()
    assert RITA in page.get_text()


def test_to_be_erased_says_what_stays_asks_once_and_is_done(browser: Client, path: str, rita: Subscription) -> None:
    question = browser.get(f"{path}erase/").content.decode()
    assert "What stays" in question
    assert RITA not in question
    assert Subscriber.objects.exists()

    response = browser.post(f"{path}erase/")
    assert response.status_code == 200
    assert b"You are erased" in response.content
    assert not Subscriber.objects.exists()
    assert not Letter.objects.exists()
    assert Suppression.objects.get().reason == Suppression.Reason.ERASED
    assert ConsentEvent.objects.latest("pk").kind == ConsentEvent.Kind.ERASED
    assert not ConsentOrigin.objects.filter(ip__isnull=False).exists()
    assert ConsentEvent.objects.filter(address_hash=addresses.keyed_hash(RITA)).count() == 3
    assert consent.verify() is None
    assert browser.get(path).status_code == 400


@rows("below", ["data/", "data.json", "erase/"])
def test_a_link_past_its_day_tells_nothing_and_erases_nobody(browser: Client, path: str, below: str) -> None:
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        for method in ("get", "post"):
            response = getattr(browser, method)(path + below)
            assert (response.status_code, response["Location"]) == (303, path)
    assert Subscriber.objects.exists()
    assert browser.get(f"/preferences/forged/{below}").status_code == 400


@rows("method", ["get", "head", "options", "put", "delete"])
def test_nothing_but_post_erases(browser: Client, path: str, method: str) -> None:
    getattr(browser, method)(f"{path}erase/")

    assert Subscriber.objects.exists()
