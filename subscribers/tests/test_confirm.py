"""Confirm links: 72 hours, one effect, GET shows and POST acts."""

from datetime import timedelta

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.test import Client
from django.utils import timezone

from mailkit import addresses
from subscribers import erasure, links, signup, suppression
from subscribers.models import ConsentEvent, LegalVersion, Letter, Newsletter, Subscriber, Subscription, Suppression
from tests.cast import RITA, ask, evidence
from tests.table import rows

pytestmark = pytest.mark.django_db


def link(subscriber: Subscriber) -> str:
    token = links.confirm_token(subscriptions=subscriber.subscriptions.all())
    return f"/confirm/{token}/"


@pytest.fixture
def path(newsletter: Newsletter) -> str:
    """Rita's confirm link, as her mail has it."""
    return link(ask(RITA, newsletter))


def state() -> str:
    return Subscription.objects.get().state


@rows("method", ["get", "head", "options", "put", "delete"])
def test_nothing_but_post_confirms(browser: Client, path: str, method: str) -> None:
    getattr(browser, method)(path)

    assert state() == "pending"
    assert ConsentEvent.objects.count() == 1


def test_get_shows_a_button(browser: Client, path: str) -> None:
    response = browser.get(path)

    assert response.status_code == 200
    assert b'<form method="post"' in response.content


def test_post_confirms(browser: Client, path: str, texts: list[LegalVersion]) -> None:
    response = browser.post(path)

    assert response.status_code == 200
    assert b"You are subscribed" in response.content
    subscription = Subscription.objects.get()
    assert subscription.state == "confirmed"
    assert subscription.confirmed_at is not None
    event = subscription.consent_event
    assert event is not None
    assert event.kind == "confirmed"
    assert {shown["sha256"] for shown in event.documents} == {version.sha256 for version in texts}
    assert list(Subscription.objects.mailable(now=timezone.now())) == [subscription]


def test_a_welcome_letter_follows(browser: Client, path: str) -> None:
    browser.post(path)

    assert Letter.objects.filter(kind=Letter.Kind.WELCOME, subscriptions__state="confirmed").count() == 1


def test_a_second_use_says_already_confirmed_and_changes_nothing(browser: Client, path: str) -> None:
    browser.post(path)
    acts, written = ConsentEvent.objects.count(), Letter.objects.count()

    assert b"Already confirmed" in browser.post(path).content
    assert b"Already confirmed" in browser.get(path).content
    assert (ConsentEvent.objects.count(), Letter.objects.count()) == (acts, written)


def test_it_is_stale_after_a_new_request(browser: Client, path: str, newsletter: Newsletter) -> None:
    ask(RITA, newsletter)

    assert browser.post(path).status_code == 410
    assert state() == "pending"


def test_it_is_stale_after_an_unsubscribe(browser: Client, path: str) -> None:
    signup.unsubscribe(subscription=Subscription.objects.get(), evidence=evidence(), reason="t", now=timezone.now())

    assert browser.post(path).status_code == 410
    assert state() == "unsubscribed"


def test_a_used_link_cannot_undo_a_later_unsubscribe(browser: Client, path: str) -> None:
    browser.post(path)
    signup.unsubscribe(subscription=Subscription.objects.get(), evidence=evidence(), reason="t", now=timezone.now())

    assert browser.post(path).status_code == 410
    assert state() == "unsubscribed"


def test_it_is_stale_after_an_erasure(browser: Client, path: str) -> None:
    erasure.erase(address_key=addresses.normalise(RITA).key, evidence=evidence(), actor=None, now=timezone.now())

    assert browser.post(path).status_code == 410
    assert not Subscriber.objects.exists()


def test_it_is_stale_when_its_subscribers_links_are_revoked(browser: Client, path: str) -> None:
    Subscriber.objects.update(token_version=2)

    assert browser.post(path).status_code == 410


@pytest.mark.parametrize(("hours", "status"), [(71, 200), (73, 410)])
def test_it_works_for_72_hours(browser: Client, path: str, hours: int, status: int) -> None:
    with time_machine.travel(timezone.now() + timedelta(hours=hours)):
        assert browser.post(path).status_code == status
    assert state() == ("confirmed" if status == 200 else "pending")


@rows("minutes", [0, 6, 600])
def test_the_page_has_nothing_that_presses_its_button(browser: Client, path: str, minutes: int) -> None:
    with time_machine.travel(timezone.now() + timedelta(minutes=minutes)):
        page = BeautifulSoup(browser.get(path).content, "html5lib")

    assert page.select("form[method=post] button")
    assert not [script for script in page.select("script") if script.get("type") != "application/ld+json"]
    assert state() == "pending"


def test_every_bad_link_gets_the_same_neutral_page(browser: Client, path: str, newsletter: Newsletter) -> None:
    token = path.split("/")[2]
    other_purpose = links.unsubscribe_token(subscription=Subscription.objects.select_related("subscriber").get())
    pages = [
        browser.post(f"/confirm/{bad}/")
        for bad in ("x", token[:-1] + ("A" if token[-1] != "A" else "B"), other_purpose, "a.b.c", "%00", "x" * 2_000)
    ]

    assert {response.status_code for response in pages} == {400}
    assert len({response.content for response in pages}) == 1
    assert state() == "pending"


def test_the_page_is_private(browser: Client, path: str) -> None:
    for response in (browser.get(path), browser.post(path), browser.get("/confirm/x/")):
        assert "no-store" in response["Cache-Control"]
        assert response["Referrer-Policy"] == "no-referrer"
        assert "noindex" in response["X-Robots-Tag"]
        assert not response.cookies
        assert RITA.encode() not in response.content


def test_confirming_lifts_an_erasure_and_nothing_else(browser: Client, newsletter: Newsletter) -> None:
    key = addresses.normalise(RITA).key
    erasure.erase(address_key=key, evidence=evidence(), actor=None, now=timezone.now())
    subscriber = ask(RITA, newsletter)
    assert suppression.is_suppressed(key)
    browser.post(link(subscriber))

    assert not suppression.is_suppressed(key)


def test_confirming_does_not_lift_a_complaint(browser: Client, path: str) -> None:
    key = addresses.normalise(RITA).key
    suppression.suppress(address_key=key, reason=Suppression.Reason.COMPLAINT, actor=None, now=timezone.now())
    browser.post(path)

    assert suppression.is_suppressed(key)
    assert not Subscription.objects.mailable(now=timezone.now()).exists()


def test_links_outlive_a_rotation_of_the_key(browser: Client, path: str, settings: object) -> None:
    old = settings.SECRET_KEY  # type: ignore[attr-defined]  # pytest-django's settings fixture
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [old]  # type: ignore[attr-defined]  # as above

    assert browser.post(path).status_code == 200
