"""The preference page: a day-long link, masked address, one form per newsletter."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.test import Client
from django.utils import timezone

from subscribers import consent, links
from subscribers.models import ConsentEvent, Letter, Newsletter, Subscriber, Subscription
from subscribers.tests.conftest import form_token
from tests.cast import BOB, RITA, confirmed
from tests.table import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(rita: Subscription) -> str:
    """Rita's link."""
    return f"/preferences/{links.preferences_token(subscriber=rita.subscriber)}/"


def test_it_shows_what_rita_has_and_what_else_there_is(browser: Client, path: str, product: Newsletter) -> None:
    response = browser.get(path)

    assert response.status_code == 200
    content = response.content.decode()
    assert "Tech News" in content
    assert "Product Updates" in content
    assert RITA not in content
    assert "no-store" in response["Cache-Control"]
    assert not response.cookies


def test_the_cadence_changes_and_the_record_holds_it(browser: Client, path: str, rita: Subscription) -> None:
    response = browser.post(path, {"action": "save", "newsletter": "tech-news", "cadence": "weekly"})

    assert response.status_code == 303
    rita.refresh_from_db()
    assert rita.cadence == "weekly"
    event = ConsentEvent.objects.latest("pk")
    assert (event.kind, event.cadence, event.source) == ("confirmed", "weekly", "preferences")
    assert event.documents
    assert rita.consent_event == event
    assert b"Your choice is saved." in browser.get(response["Location"]).content


def test_a_cadence_that_is_not_offered_is_refused_with_a_sentence(
    browser: Client, path: str, rita: Subscription
) -> None:
    response = browser.post(path, {"action": "save", "newsletter": "tech-news", "cadence": "hourly"})

    assert response.status_code == 422
    page = BeautifulSoup(response.content, "html5lib")
    place = f"#cadence-{rita.newsletter_id}"
    assert page.select(f"{place}[aria-invalid=true][aria-describedby=fault-{rita.newsletter_id}]")
    for selector in (f"[role=alert][autofocus] a[href='{place}']", f"#fault-{rita.newsletter_id}"):
        assert ["Please choose one of the cadences" in sentence.get_text() for sentence in page.select(selector)] == [
            True
        ]
    assert page.title is not None
    assert page.title.get_text(strip=True).startswith("Error:")
    rita.refresh_from_db()
    assert rita.cadence == "daily"


def test_to_be_counted_as_a_person_is_asked_granted_and_withdrawn_on_record(
    browser: Client, path: str, rita: Subscription
) -> None:
    for sent, kinds in (
        ({}, []),
        ({"tracking": "on"}, ["tracking_granted"]),
        ({"tracking": "on"}, []),
        ({}, ["tracking_withdrawn"]),
    ):
        before = list(ConsentEvent.objects.values_list("pk", flat=True))
        assert browser.post(path, {"action": "tracking", **sent}).status_code == 303
        rita.subscriber.refresh_from_db()
        assert rita.subscriber.tracking_consent is bool(sent)
        events = ConsentEvent.objects.exclude(pk__in=before)
        assert [event.kind for event in events] == kinds
        for event in events:
            box = BeautifulSoup(browser.get(path).content, "html5lib").select_one("label[for=tracking]")
            assert box is not None
            assert (event.form_text, event.newsletter_slug, event.source) == (box.get_text(), "", "preferences")
    assert consent.verify() is None


@time_machine.travel(datetime(2026, 7, 1, 12, tzinfo=UTC))
def test_a_pause_ends_at_midnight_in_the_newsletters_zone(newsletter: Newsletter, browser: Client) -> None:
    rita = confirmed(RITA, newsletter)
    path = f"/preferences/{links.preferences_token(subscriber=rita.subscriber)}/"
    data = {"action": "save", "newsletter": "tech-news", "cadence": "daily"}
    browser.post(path, data | {"paused_until": "2026-07-10"})
    rita.refresh_from_db()

    assert rita.paused_until == datetime(2026, 7, 9, 22, tzinfo=UTC)
    mailable = Subscription.objects.mailable
    assert not mailable(now=timezone.now()).exists()
    assert mailable(now=rita.paused_until).exists()
    shown = browser.get(path).content
    assert b'value="2026-07-10"' in shown
    assert b"Nothing comes until 10 July 2026; then it resumes by itself." in shown
    with time_machine.travel(rita.paused_until):
        assert (
            b"resumes by itself"
            not in browser.get(f"/preferences/{links.preferences_token(subscriber=rita.subscriber)}/").content
        )
    browser.post(path, data | {"paused_until": ""})
    rita.refresh_from_db()
    assert rita.paused_until is None


@rows("day", ["0001-01-01", "2020-01-01", "2199-01-01", "9999-12-31", "soon", "2026-13-40"])
def test_a_pause_that_makes_no_sense_is_refused(browser: Client, path: str, rita: Subscription, day: str) -> None:
    data = {"action": "save", "newsletter": "tech-news", "cadence": "weekly", "paused_until": day}

    response = browser.post(path, data)
    assert response.status_code == 422
    field = BeautifulSoup(response.content, "html5lib").select_one(f"#pause-{rita.newsletter_id}[aria-invalid=true]")
    assert field is not None
    assert field["value"] == day
    rita.refresh_from_db()
    assert (rita.paused_until, rita.cadence) == (None, "daily")


def test_unsubscribing_from_one_leaves_the_other(
    browser: Client, path: str, rita: Subscription, product: Newsletter
) -> None:
    other = confirmed(RITA, product)
    browser.post(path, {"action": "unsubscribe", "newsletter": "tech-news"})
    rita.refresh_from_db()
    other.refresh_from_db()

    assert (rita.state, other.state) == ("unsubscribed", "confirmed")


def test_unsubscribing_from_everything_sends_one_goodbye(
    browser: Client, path: str, rita: Subscription, product: Newsletter
) -> None:
    confirmed(RITA, product)
    browser.post(path, {"action": "unsubscribe_all"})

    assert set(Subscription.objects.values_list("state", flat=True)) == {"unsubscribed"}
    assert ConsentEvent.objects.filter(kind="withdrawn", source="preferences_all").count() == 2
    assert Letter.objects.get(kind=Letter.Kind.GOODBYE).subscriptions.count() == 2


def test_a_further_newsletter_needs_no_second_mail_but_consent(browser: Client, path: str, product: Newsletter) -> None:
    data = {"action": "subscribe", "newsletter": "product-updates", "cadence": "weekly", "form_token": form_token()}
    refused = browser.post(path, data)
    assert refused.status_code == 422
    assert b"Please tick the box" in refused.content

    assert browser.post(path, data | {"consent": "on"}).status_code == 303
    added = Subscription.objects.get(newsletter=product)
    assert (added.state, added.cadence) == ("confirmed", "weekly")
    assert added.consent_event is not None
    assert (added.consent_event.kind, added.consent_event.source) == ("confirmed", "preferences")
    assert len(added.consent_event.documents) == 2


@pytest.mark.parametrize("token", ["", "forged", "old"])
def test_a_further_newsletter_needs_the_terms_that_were_shown(
    browser: Client, path: str, product: Newsletter, token: str
) -> None:
    seal = form_token(age=timedelta(hours=25)) if token == "old" else token
    data = {"action": "subscribe", "newsletter": "product-updates", "cadence": "weekly", "consent": "on"}

    assert browser.post(path, data | {"form_token": seal}).status_code == 422
    assert not Subscription.objects.filter(newsletter=product).exists()


def test_a_newsletter_that_is_closed_cannot_be_added(browser: Client, path: str, product: Newsletter) -> None:
    Newsletter.objects.filter(pk=product.pk).update(is_open=False)
    data = {"action": "subscribe", "newsletter": "product-updates", "cadence": "weekly", "consent": "on"}

    assert browser.post(path, data | {"form_token": form_token()}).status_code == 422
    assert not Subscription.objects.filter(newsletter=product).exists()


def test_ritas_link_reaches_nothing_of_bobs(browser: Client, path: str, product: Newsletter) -> None:
    bob = confirmed(BOB, product)

    assert browser.post(path, {"action": "unsubscribe", "newsletter": "product-updates"}).status_code == 422
    bob.refresh_from_db()
    assert bob.state == "confirmed"


def test_an_unknown_action_is_refused(browser: Client, path: str) -> None:
    assert browser.post(path, {"action": "explode"}).status_code == 422


@rows("method", ["get", "head", "options", "put", "delete"])
def test_nothing_but_post_changes_anything(browser: Client, path: str, rita: Subscription, method: str) -> None:
    getattr(browser, method)(f"{path}?action=unsubscribe_all&newsletter=tech-news")
    rita.refresh_from_db()

    assert rita.state == "confirmed"


def test_after_a_day_it_tells_nothing_and_mails_a_fresh_link(browser: Client, path: str, rita: Subscription) -> None:
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        response = browser.get(path)
        assert response.status_code == 410
        assert b"Tech News</h2>" not in response.content
        assert not Letter.objects.filter(kind=Letter.Kind.PREFERENCES).exists()
        for _ in range(3):
            assert browser.post(path, {"action": "unsubscribe_all"})["Location"] == "/preferences/sent/"
    rita.refresh_from_db()

    assert rita.state == "confirmed"
    assert Letter.objects.filter(kind=Letter.Kind.PREFERENCES).count() == 1


def test_it_dies_when_its_links_are_revoked(browser: Client, path: str) -> None:
    Subscriber.objects.update(token_version=2)

    assert browser.get(path).status_code == 400


@pytest.mark.parametrize(("address", "letters"), [(RITA, 1), (BOB, 0)])
def test_a_link_can_be_asked_for_and_the_answer_is_the_same(
    browser: Client, rita: Subscription, address: str, letters: int
) -> None:
    response = browser.post("/preferences/", {"address": address})

    assert (response.status_code, response["Location"]) == (303, "/preferences/sent/")
    assert Letter.objects.filter(kind=Letter.Kind.PREFERENCES).count() == letters
    assert b"If this address" in browser.get("/preferences/sent/").content


def test_links_are_mailed_once_in_ten_minutes(browser: Client, rita: Subscription) -> None:
    for _ in range(3):
        browser.post("/preferences/", {"address": RITA})

    assert Letter.objects.filter(kind=Letter.Kind.PREFERENCES).count() == 1


def test_a_wrong_address_gets_the_form_back(browser: Client, texts: object) -> None:
    response = browser.post("/preferences/", {"address": "rita@nowhere"})

    assert response.status_code == 422
    assert b'value="rita@nowhere"' in response.content


@rows("action", ["save", "unsubscribe", "subscribe"])
@rows("name", ["", "no-such-letter", "tech-news\x00", "\x00"])
def test_a_newsletter_that_no_button_names_is_refused(browser: Client, path: str, action: str, name: str) -> None:
    data = {"action": action, "newsletter": name, "cadence": "weekly", "consent": "on", "form_token": form_token()}
    response = browser.post(path, data)

    assert response.status_code == 422
    assert b"Please use one of the buttons on this page." in response.content
    assert "no-store" in response["Cache-Control"]
