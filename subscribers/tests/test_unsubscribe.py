"""The way out: one click without cookies, a page with a button, and an hour to take it back."""

from datetime import time, timedelta

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.test import Client
from django.utils import timezone

from subscribers import erasure, leaving, links
from subscribers.models import (
    CadenceOffer,
    ConsentEvent,
    LeavingCount,
    LeavingReason,
    Letter,
    Newsletter,
    Subscriber,
    Subscription,
)
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


def buttons(content: bytes) -> list[str]:
    """The values of the page's buttons."""
    return [str(button.get("value", "")) for button in BeautifulSoup(content, "html5lib").select("main button")]


def test_the_page_offers_less_of_it_there_and_records_it(browser: Client, path: str, rita: Subscription) -> None:
    assert buttons(browser.get(path).content) == ["", "weekly", "pause"]
    response = browser.post(path, {"action": "weekly"})
    rita.refresh_from_db()

    assert b"From now on weekly" in response.content
    assert (rita.state, rita.cadence) == ("confirmed", "weekly")
    event = ConsentEvent.objects.latest("pk")
    assert (event.kind, event.cadence, event.source) == ("confirmed", "weekly", "unsubscribe_page")
    assert rita.consent_event == event
    assert buttons(browser.get(path).content) == ["", "pause"]


@rows("cadence", ["weekly", "monthly"])
def test_by_that_link_nothing_ever_comes_more_often(
    browser: Client, path: str, rita: Subscription, cadence: str
) -> None:
    CadenceOffer.objects.create(newsletter=rita.newsletter, cadence="monthly", send_at=time(7), day_of_month=1)
    Subscription.objects.update(cadence=cadence)
    acts = ConsentEvent.objects.count()
    response = browser.post(path, {"action": "weekly", "cadence": "instant"})
    rita.refresh_from_db()

    assert buttons(response.content) == ["", "pause"]
    assert (rita.cadence, ConsentEvent.objects.count()) == (cadence, acts)


def test_a_pause_of_a_month_ends_by_itself_and_shortens_no_longer_one(
    browser: Client, path: str, rita: Subscription
) -> None:
    now = timezone.now()
    response = browser.post(path, {"action": "pause"})
    rita.refresh_from_db()

    assert b"then it resumes by itself" in response.content
    assert rita.paused_until is not None
    assert timedelta(days=30) < rita.paused_until - now < timedelta(days=32)
    mailable = Subscription.objects.mailable
    assert not mailable(now=now + timedelta(days=30)).exists()
    assert mailable(now=rita.paused_until).exists()
    longer = now + timedelta(days=90)
    Subscription.objects.update(paused_until=longer)
    browser.post(path, {"action": "pause"})
    rita.refresh_from_db()
    assert rita.paused_until == longer


def test_one_click_is_one_click_whatever_else_is_sent(browser: Client, path: str, rita: Subscription) -> None:
    browser.post(path, {"List-Unsubscribe": "One-Click", "action": "pause"})
    rita.refresh_from_db()

    assert rita.state == "unsubscribed"


def test_a_reason_is_counted_once_and_without_the_reader(browser: Client, path: str, rita: Subscription) -> None:
    page = BeautifulSoup(browser.post(path).content, "html5lib")
    form = page.select_one("form[action$='/reason/']")
    assert form is not None
    place = str(form["action"])
    for reason in ("", "whim", "too_often", "too_often", "other"):
        assert b"Thank you" in browser.post(place, {"reason": reason}).content

    assert [(row.newsletter, row.reason, row.number) for row in LeavingCount.objects.all()] == [
        (rita.newsletter, "too_often", 1)
    ]
    assert browser.get(place).status_code == 405
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        assert browser.post(place, {"reason": "other"}).status_code == 410


def test_reasons_are_shown_once_nobody_can_be_recognised(newsletter: Newsletter) -> None:
    now = timezone.now()
    for number, reason in enumerate(["too_often", "other", "too_often", "too_often", "other"], start=1):
        leaving.count(newsletter=newsletter, reason=LeavingReason(reason), now=now)
        assert bool(leaving.given(newsletter=newsletter, now=now)) is (number == leaving.FEWEST)

    assert leaving.given(newsletter=newsletter, now=now) == [("It came too often", 3), ("Something else", 2)]
