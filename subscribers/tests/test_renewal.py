"""Readers are asked once for a newer text, agree by one button and nothing else, and are mailed again."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.utils import timezone

from publication.models import Publication
from staff.models import AuditEvent
from subscribers import demands, legal, links, renewal, signup, verification
from subscribers.letters import send
from subscribers.models import ConsentEvent, LegalVersion, Letter, Newsletter, Subscriber, Subscription
from subscribers.tests.test_demands import publish
from subscribers.tests.test_mailed_only_with_consent import mailable
from tests.cast import BOB, RITA, Staff, confirmed, evidence, import_readers

pytestmark = pytest.mark.django_db
LISTED = "listed@reader.org"


@pytest.fixture
def second(newsletter: Newsletter, texts: list[LegalVersion]) -> LegalVersion:
    """The second version of the terms; Rita and a reader of an import came before it, Bob after it."""
    confirmed(RITA, newsletter)
    import_readers(LISTED, newsletter=newsletter)
    document = texts[0].document
    words = "# Terms of use\n\nBe kinder.\n\nAnd brief."
    version = legal.draft(document=document, body_markdown=words, change_note="Kinder.", now=timezone.now())
    legal.publish_version(version=version, actor=None, now=timezone.now())
    confirmed(BOB, newsletter)
    demands.demand(newsletter=newsletter, version=version, actor=None, now=timezone.now())
    Letter.objects.all().delete()
    mail.outbox.clear()
    return version


def ask(newsletter: Newsletter, version: LegalVersion) -> int:
    return renewal.ask(newsletter=newsletter, version=version, actor=None, now=timezone.now()).count


def sweep() -> None:
    """Send the letters that are due within a minute."""
    send.sweep(clock=lambda: timezone.now() + timedelta(minutes=1))


def page_of(address: str) -> str:
    """The path of the page on which this reader agrees."""
    url = links.agree_url(subscriber=Subscriber.objects.get(address=address))
    return "/agree/" + url.partition("/agree/")[2]


def seal(page: Any) -> dict[str, str]:
    """What the form of the page sends."""
    [token] = re.findall(r'name="terms" value="([^"]+)"', page.content.decode())
    return {"terms": token}


def test_each_who_is_below_gets_one_letter(newsletter: Newsletter, product: Newsletter, second: LegalVersion) -> None:
    confirmed(RITA, product)
    rita = Subscriber.objects.get(address=RITA)
    Subscription.objects.filter(subscriber=rita).update(paused_until=timezone.now() + timedelta(days=9))
    assert renewal.asked(newsletter=newsletter, version=second) == renewal.Asked(2, 0, 0, 0)

    assert ask(newsletter, second) == 2
    assert ask(newsletter, second) == 0
    assert ask(product, second) == 0, "Rita was asked already, and agreed with the product's form"
    assert AuditEvent.objects.filter(action="readers_asked").earliest("pk").detail["letters"] == 2
    first, last = Letter.objects.filter(kind="renewal").order_by("due_at").values_list("due_at", flat=True)
    assert last - first == timedelta(hours=1) / renewal.PER_HOUR
    mail.outbox.clear()
    sweep()
    sent = [message.to for message in mail.outbox if "Please agree" in message.subject]
    assert sorted(sent) == [[LISTED], [RITA]]
    assert "Kinder." in mail.outbox[-1].body
    assert "* Tech News" in mail.outbox[-1].body
    assert renewal.asked(newsletter=newsletter, version=second) == renewal.Asked(0, 0, 2, 0)


def test_who_has_agreed_or_left_meanwhile_gets_none(newsletter: Newsletter, second: LegalVersion) -> None:
    ask(newsletter, second)
    rita = Subscription.objects.get(subscriber__address=RITA)
    signup.unsubscribe(subscription=rita, evidence=evidence(), reason="one_click", now=timezone.now(), goodbye=False)
    demands.withdraw(newsletter=newsletter, document=second.document, actor=None, now=timezone.now())
    sweep()
    letters = Letter.objects.filter(kind="renewal").values_list("subscriber__address", "state")
    assert dict(letters) == {RITA: "expired", LISTED: "sent"}


def test_one_button_agrees_and_nothing_else_does(newsletter: Newsletter, second: LegalVersion, browser: Client) -> None:
    address, before = page_of(RITA), ConsentEvent.objects.count()
    page = browser.get(address)
    assert "Kinder." in page.content.decode()
    assert '<del class="desk-word">kind.</del>' in page.content.decode()
    assert "Tech News" in page.content.decode()
    browser.head(address)
    assert browser.post(address).status_code == 422, "a program that posts without the page agrees to nothing"
    assert browser.post(address, seal(page)).status_code == 422, "nor does one that is quicker than a person"
    assert (ConsentEvent.objects.count(), mailable()) == (before, {BOB})

    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        done = browser.post(address, seal(page))
        again = browser.post(address, seal(page))
    assert "You agreed to the new texts" in done.content.decode()
    assert "There is nothing to agree to" in again.content.decode()
    event = ConsentEvent.objects.latest("pk")
    assert (ConsentEvent.objects.count(), event.kind, event.source) == (before + 1, "confirmed", "renewal")
    assert {(shown["document"], shown["version"]) for shown in event.documents} == {
        ("terms-of-use", 2), ("privacy", 1),
    }  # fmt: skip
    assert event.form_text.startswith("I agree to the Privacy policy and the Terms of use")
    assert address.split("/")[2] not in event.form_url
    assert Subscription.objects.get(subscriber__address=RITA).consent_event == event
    assert mailable() == {RITA, BOB}
    assert verification.verify().faults == []


def test_a_text_that_changes_meanwhile_is_shown_again(
    newsletter: Newsletter, second: LegalVersion, browser: Client
) -> None:
    address = page_of(LISTED)
    page = browser.get(address)
    publish(second, "Be kindest.")
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        fault = browser.post(address, seal(page))
    assert fault.status_code == 422
    assert "Our terms have changed" in fault.content.decode()
    assert mailable() == {BOB}


def test_a_reader_is_asked_and_agrees_in_their_language(
    newsletter: Newsletter, second: LegalVersion, browser: Client
) -> None:
    Publication.objects.update(further_languages=["ru"])
    Subscriber.objects.filter(address=RITA).update(language="ru")
    publish(second, "Будьте добрее.", "ru", of=second)
    ask(newsletter, second)
    sweep()
    [letter] = [message for message in mail.outbox if message.to == [RITA]]
    assert "Пожалуйста" in letter.subject
    address = page_of(RITA)
    page = browser.get(address)
    assert "Будьте добрее." in page.content.decode()
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        browser.post(address, seal(page))
    event = ConsentEvent.objects.latest("pk")
    assert {(shown["document"], shown["version"]) for shown in event.documents} >= {("terms-of-use", 3)}
    assert event.locale == "ru"
    assert mailable() == {RITA, BOB}


def test_who_is_held_back_is_told_and_listed(second: LegalVersion, browser: Client, staff: Staff) -> None:
    rita = Subscriber.objects.get(address=RITA)
    preferences = f"/preferences/{links.preferences_token(subscriber=rita)}/"
    publisher, words = staff("Publisher"), "not mailed until the reader agrees"
    listed = "/admin/subscribers/subscription/?behind=1"
    assert "/agree/" in browser.get(preferences).content.decode()
    assert words in publisher.get(f"/admin/readers/{rita.uuid}/").content.decode()
    assert "Who is not mailed" in publisher.get("/admin/agreements/").content.decode()
    rows = publisher.get(listed).context["cl"].result_list
    assert {row.subscriber.address for row in rows} == {RITA, LISTED}

    page = browser.get(page_of(RITA))
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        browser.post(page_of(RITA), seal(page))
    assert "/agree/" not in browser.get(preferences).content.decode()
    assert words not in publisher.get(f"/admin/readers/{rita.uuid}/").content.decode()


def test_an_old_or_forged_link_agrees_to_nothing(second: LegalVersion, browser: Client) -> None:
    address = page_of(RITA)
    assert browser.get(f"{address[:-3]}x/").status_code == 400
    with time_machine.travel(timezone.now() + timedelta(days=61)):
        assert browser.get(address).status_code == 410
