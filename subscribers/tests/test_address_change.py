"""A reader moves to another mailbox: both agree, and everything moves along."""

import re
from datetime import timedelta

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.core import mail
from django.http.response import HttpResponseBase
from django.test import Client
from django.utils import timezone

from mailkit import addresses
from subscribers import address_change, consent, erasure, evidence, links, suppression
from subscribers.letters import send
from subscribers.models import AddressChange, ConsentEvent, Letter, Subscriber, Subscription, Suppression
from tests.cast import BOB, RITA, confirmed

NEW = "rita@elsewhere.example"
pytestmark = pytest.mark.django_db


@pytest.fixture
def path(rita: Subscription) -> str:
    """The form behind Rita's link."""
    return f"/preferences/{links.preferences_token(subscriber=rita.subscriber)}/address/"


def pages(*recipients: str) -> list[str]:
    """The path behind the button of the last letter to each of them."""
    last = {letter.to[0]: letter for letter in mail.outbox}
    return ["/address/" + re.findall(r"/address/([^/\s]+/)", str(last[one].body))[0] for one in recipients]


def ask(client: Client, path: str, address: str) -> HttpResponseBase:
    """Send the form, and let the letters leave."""
    response = client.post(path, {"address": address})
    send.sweep(clock=timezone.now)
    return response


def h1(client: Client, path: str, *, press: bool) -> str:
    response = client.post(path) if press else client.get(path)
    return BeautifulSoup(response.content, "html5lib").select("h1")[0].get_text(strip=True)


def test_both_mailboxes_agree_and_all_moves(browser: Client, path: str, rita: Subscription) -> None:
    assert ask(browser, path, NEW).status_code == 303
    former, new = pages(RITA, NEW)
    assert RITA not in str(mail.outbox[-1].body) + str(mail.outbox[-2].body)
    assert NEW in browser.get(path.replace("address", "data")).content.decode()
    assert h1(browser, former, press=False) == "Change your address"
    assert h1(browser, former, press=True) == "One more press"
    assert Subscriber.objects.get().address == RITA
    assert h1(browser, new, press=True) == "Your address is changed"
    assert h1(browser, new, press=True) == h1(browser, former, press=False) == "Your address is changed"

    reader = Subscriber.objects.get()
    assert (reader.address, reader.address_key) == (NEW, NEW)
    assert reader.address_hash == addresses.keyed_hash(NEW)
    assert list(Subscription.objects.all().mailable(now=timezone.now())) == [rita]
    changed = ConsentEvent.objects.filter(kind="address_changed")
    assert {event.address_hash for event in changed} == {addresses.keyed_hash(one) for one in (RITA, NEW)}
    assert {event.form_text for event in changed} == {"Yes, write to the new address"}
    assert consent.verify() is None
    assert browser.get(path).status_code == 400
    acts = evidence.of(address=NEW, actor=None, now=timezone.now())["events"]
    assert [act["kind"] for act in acts][-2:] == ["address_changed"] * 2
    assert "confirmed" in [act["kind"] for act in acts]


def test_one_mailbox_alone_changes_nothing(browser: Client, path: str) -> None:
    ask(browser, path, NEW)
    for one in pages(NEW, RITA):
        browser.get(one)
    for _ in range(2):
        assert h1(browser, pages(NEW)[0], press=True) == "One more press"
    assert Subscriber.objects.get().address == RITA


def test_a_new_wish_makes_the_links_of_the_older_one_stale(browser: Client, path: str) -> None:
    ask(browser, path, NEW)
    before = pages(RITA, NEW)
    ask(browser, path, "rita@third.example")
    assert [browser.post(one).status_code for one in before] == [410, 410]
    assert AddressChange.objects.get().former_agreed_at is None


def test_a_mailbox_that_is_a_reader_already_is_not_told_of_until_it_has_agreed(
    browser: Client, path: str, rita: Subscription
) -> None:
    bob = confirmed(BOB, rita.newsletter)
    responses = [ask(browser, path, one) for one in (NEW, BOB)]
    assert len({(response.status_code, response["Location"]) for response in responses}) == 1
    former, new = pages(RITA, BOB)
    assert h1(browser, new, press=True) == "One more press"
    response = browser.post(former)
    assert response.status_code == 409
    assert "has subscriptions of its own" in response.content.decode()
    assert set(Subscriber.objects.values_list("address", flat=True)) == {RITA, BOB}
    bob.subscriber.delete()
    assert h1(browser, former, press=True) == "Your address is changed"


@pytest.mark.parametrize(
    ("typed", "sentence"), [(RITA, "We write to this address already."), ("rita@", "Please"), ("", "Please")]
)
def test_what_cannot_be_an_address_comes_back_with_a_sentence(
    browser: Client, path: str, typed: str, sentence: str
) -> None:
    response = browser.post(path, {"address": typed})
    assert response.status_code == 422
    page = BeautifulSoup(response.content, "html5lib")
    assert page.title is not None
    assert page.title.get_text(strip=True).startswith("Error:")
    assert sentence in page.select("[role=alert][autofocus] a[href='#id_address']")[0].get_text()
    assert page.select(f"#id_address[aria-invalid=true][value='{typed}']")
    assert not AddressChange.objects.exists()


def test_strangers_get_no_more_letters_than_by_signing_up(browser: Client, path: str) -> None:
    answers = [ask(browser, path, "victim@elsewhere.example").status_code for _ in range(30)]
    assert answers == [303] * 20 + [429] * 10
    assert len([letter for letter in mail.outbox if letter.to == ["victim@elsewhere.example"]]) <= 5


def test_a_suppressed_mailbox_is_not_written_to_and_an_erased_one_may_come_back(browser: Client, path: str) -> None:
    for address, reason in ((NEW, Suppression.Reason.COMPLAINT), ("rita@third.example", Suppression.Reason.ERASED)):
        suppression.suppress_hash(address_hash=addresses.keyed_hash(address), reason=reason, now=timezone.now())
        ask(browser, path, address)
    assert [letter.to[0] for letter in mail.outbox if letter.to[0] != RITA] == ["rita@third.example"]
    for one in pages(RITA, "rita@third.example"):
        browser.post(one)
    assert not suppression.is_suppressed("rita@third.example")


def test_erasing_covers_the_address_from_before(browser: Client, path: str) -> None:
    ask(browser, path, NEW)
    for one in pages(RITA, NEW):
        browser.post(one, REMOTE_ADDR="192.0.2.7")
    erasure.erase(address_key=NEW, evidence=consent.Evidence(source="test"), actor=None, now=timezone.now())
    assert suppression.is_suppressed(RITA)
    assert suppression.is_suppressed(NEW)
    assert not ConsentEvent.objects.filter(origin__ip__isnull=False).exists()


def test_links_work_for_three_days_and_the_wish_is_forgotten_then(browser: Client, path: str) -> None:
    ask(browser, path, NEW)
    with time_machine.travel(timezone.now() + timedelta(hours=73)):
        assert browser.post(pages(NEW)[0]).status_code == 410
        assert address_change.forget_old(now=timezone.now()) == 1
    assert not Letter.objects.filter(state="rejected").exists()
