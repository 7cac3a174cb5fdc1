"""The way out: one click without cookies, a page with a button, and an hour to take it back."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from subscribers import erasure, links
from subscribers.models import ConsentEvent, Letter, Newsletter, Subscriber, Subscription
from tests.cast import RITA, confirmed, evidence
from tests.table import rows

pytestmark = pytest.mark.django_db

ONE_CLICK = "List-Unsubscribe=One-Click"


@pytest.fixture
def path(rita: Subscription) -> str:
    """The link in Rita's mails."""
    return f"/unsubscribe/{links.unsubscribe_token(subscription=rita)}/"


def one_click(browser: Client, path: str) -> object:
    return browser.post(path, ONE_CLICK, content_type="application/x-www-form-urlencoded")


def test_one_click_unsubscribes_without_cookie_token_or_redirect(
    browser: Client, path: str, rita: Subscription
) -> None:
    response = browser.post(path, ONE_CLICK, content_type="application/x-www-form-urlencoded")

    assert response.status_code == 200
    assert not response.cookies
    rita.refresh_from_db()
    assert rita.state == "unsubscribed"
    assert rita.consent_event is None
    event = ConsentEvent.objects.latest("pk")
    assert (event.kind, event.source) == ("withdrawn", "one_click")


def test_one_click_as_multipart_works_too(browser: Client, path: str, rita: Subscription) -> None:
    assert browser.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    rita.refresh_from_db()
    assert rita.state == "unsubscribed"


def test_one_click_twice_is_fine(browser: Client, path: str) -> None:
    one_click(browser, path)
    acts = ConsentEvent.objects.count()

    assert browser.post(path, ONE_CLICK, content_type="application/x-www-form-urlencoded").status_code == 200
    assert ConsentEvent.objects.count() == acts


def test_one_click_of_somebody_erased_is_answered_alike_and_changes_nothing(
    browser: Client, path: str, rita: Subscription
) -> None:
    erasure.erase(address_key=rita.subscriber.address_key, evidence=evidence(), actor=None, now=timezone.now())
    acts = ConsentEvent.objects.count()
    response = browser.post(path, ONE_CLICK, content_type="application/x-www-form-urlencoded")

    assert (response.status_code, response.content) == (200, b"You are unsubscribed.\n")
    assert ConsentEvent.objects.count() == acts
    assert not Subscriber.objects.exists()
    assert browser.get(path).status_code == browser.post(path).status_code == 200
    assert (
        browser.post(path.replace("/unsubscribe/", "/unsubscribe/x"), {"List-Unsubscribe": "One-Click"}).status_code
        == 400
    )


@rows("method", ["get", "head", "options", "put", "delete"])
def test_nothing_but_post_unsubscribes(browser: Client, path: str, rita: Subscription, method: str) -> None:
    getattr(browser, method)(path)
    rita.refresh_from_db()

    assert rita.state == "confirmed"


def test_the_page_has_a_button_and_masks_the_address(browser: Client, path: str) -> None:
    content = browser.get(path).content.decode()

    assert '<form method="post"' in content
    assert RITA not in content
    assert "r…@" in content


def test_the_button_unsubscribes_and_offers_to_take_it_back(browser: Client, path: str, rita: Subscription) -> None:
    response = browser.post(path)
    rita.refresh_from_db()

    assert rita.state == "unsubscribed"
    assert b"Subscribe again" in response.content


def test_a_goodbye_letter_follows(browser: Client, path: str) -> None:
    browser.post(path)

    assert Letter.objects.filter(kind=Letter.Kind.GOODBYE).count() == 1


def test_the_link_never_expires(browser: Client, path: str, rita: Subscription) -> None:
    with time_machine.travel(timezone.now() + timedelta(days=3_000)):
        one_click(browser, path)
    rita.refresh_from_db()

    assert rita.state == "unsubscribed"


def test_the_link_works_after_the_readers_other_links_were_revoked(
    browser: Client, path: str, rita: Subscription
) -> None:
    Subscriber.objects.update(token_version=9)
    one_click(browser, path)
    rita.refresh_from_db()

    assert rita.state == "unsubscribed"


def test_it_ends_only_its_own_newsletter(browser: Client, path: str, product: Newsletter) -> None:
    other = confirmed(RITA, product)
    one_click(browser, path)
    other.refresh_from_db()

    assert other.state == "confirmed"


def test_it_opens_nothing_else(browser: Client, path: str) -> None:
    token = path.split("/")[2]

    assert browser.get(f"/preferences/{token}/").status_code == 400
    assert browser.post(f"/confirm/{token}/").status_code == 400
    assert browser.post(f"/unsubscribe/{token}/again/").status_code == 400


def again_path(browser: Client, path: str) -> str:
    content = browser.post(path).content.decode()
    return "/unsubscribe/" + content.split('action="/unsubscribe/')[1].split('"')[0]


def test_it_can_be_taken_back_once(browser: Client, path: str, rita: Subscription) -> None:
    again = again_path(browser, path)
    assert browser.post(again).status_code == 200
    rita.refresh_from_db()

    assert rita.state == "confirmed"
    assert rita.cadence == "daily"
    assert rita.consent_event is not None
    assert rita.consent_event.source == "subscribe_again"
    assert rita.consent_event.documents
    assert browser.post(again).status_code == 410


def test_reading_the_page_takes_nothing_back(browser: Client, path: str, rita: Subscription) -> None:
    again = again_path(browser, path)
    assert browser.get(again).status_code == 200
    browser.head(again)
    rita.refresh_from_db()

    assert rita.state == "unsubscribed"


def test_after_an_hour_it_stays(browser: Client, path: str, rita: Subscription) -> None:
    again = again_path(browser, path)
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        assert browser.post(again).status_code == 410
    rita.refresh_from_db()

    assert rita.state == "unsubscribed"


def test_a_pending_reader_leaves_without_a_letter(browser: Client, newsletter: Newsletter, rita: Subscription) -> None:
    Subscription.objects.update(state="pending")
    Letter.objects.all().delete()
    one_click(browser, f"/unsubscribe/{links.unsubscribe_token(subscription=rita)}/")

    assert not Letter.objects.exists()


def test_bad_links_get_one_neutral_page(browser: Client) -> None:
    pages = [browser.post(f"/unsubscribe/{bad}/") for bad in ("x", "a.b.c", "x" * 2_000)]

    assert {response.status_code for response in pages} == {400}
    assert len({response.content for response in pages}) == 1
