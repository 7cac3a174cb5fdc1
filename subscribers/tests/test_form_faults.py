"""Wrong input gets the form back with what was typed and one sentence per fault."""

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup, Tag
from django.test import Client
from django.utils import timezone

from subscribers import forms, legal, views
from subscribers.models import LegalVersion, Letter, Newsletter, Subscriber, Subscription
from subscribers.tests.conftest import Fill, form_token
from tests.table import rows

pytestmark = pytest.mark.django_db

# reliability 3.7 and the classics: none of these may become a subscriber.
HOSTILE = [
    "",
    "rita",
    "rita@",
    "@reader.org",
    "rita@localhost",
    "rita@[127.0.0.1]",
    "rita@127.0.0.1",
    '"a@b"@reader.org',
    "a" * 65 + "@reader.org",
    "a@" + "b" * 300 + ".org",
    "rita@reader.org, bob@elsewhere.net",
    "Rita <rita@reader.org>",
    "rita@reader.org\r\nBcc: bob@elsewhere.net",
    "rita\x0bx@reader.org",
    "rita\x00@reader.org",
    "rita@rea\u200bder.org",
    "\u212ait@reader.org",
    "r\u0456ta@reader.org",
    "rita@re\u0430der.org",
    "rita@reader.org\u202e",
    "<script>@reader.org",
    "x" * 5_000,
]


def page(response: object) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html5lib")  # type: ignore[attr-defined]  # Django's test response


def faults(response: object) -> list[str]:
    return [error.get_text(strip=True) for error in page(response).select("[role=alert] li")]


def value(response: object, name: str) -> str:
    field = page(response).select_one(f"form.signup__form [name={name}]")
    assert isinstance(field, Tag)
    return str(field.get("value", ""))


@rows("address", HOSTILE)
def test_a_hostile_address_gets_one_sentence_and_no_row(
    browser: Client, newsletter: Newsletter, fill: Fill, address: str
) -> None:
    response = browser.post("/subscribe/", fill(address=address))

    assert response.status_code == 422
    assert len(faults(response)) == 1
    assert not Subscriber.objects.exists()


def test_the_same_mailbox_in_other_spellings_is_one_subscriber(
    browser: Client, newsletter: Newsletter, fill: Fill
) -> None:
    for spelling in ("Rita@stra\u00dfe.org", "rita@STRA\u00dfE.org", " rita@xn--strae-oqa.org "):
        assert browser.post("/subscribe/", fill(address=spelling)).status_code == 303

    assert Subscriber.objects.get().address_key == "rita@xn--strae-oqa.org"


def test_everything_that_was_typed_stays(
    browser: Client, newsletter: Newsletter, product: Newsletter, fill: Fill
) -> None:
    data = fill(address="rita@reader", newsletters=["product-updates"], consent=None) | {
        "cadence_product-updates": "instant"
    }
    response = browser.post("/subscribe/", data)

    assert value(response, "address") == "rita@reader"
    assert [box["value"] for box in page(response).select("[name=newsletters][checked]")] == ["product-updates"]
    chosen = page(response).select_one('[name="cadence_product-updates"] option[selected]')
    assert chosen is not None
    assert chosen["value"] == "instant"
    assert len(faults(response)) == 2
    # Under no-referrer the next POST would say "Origin: null" and be refused.
    assert response["Referrer-Policy"] == "same-origin"


def test_what_was_typed_is_escaped(browser: Client, newsletter: Newsletter, fill: Fill) -> None:
    response = browser.post("/subscribe/", fill(address='"><script>alert(1)</script>'))

    assert b"<script>alert" not in response.content


def test_without_consent_nothing_happens(browser: Client, newsletter: Newsletter, fill: Fill) -> None:
    response = browser.post("/subscribe/", fill(consent=None))

    assert faults(response) == [str(forms.AGREE)]
    assert not Subscriber.objects.exists()


def test_a_newsletter_must_be_chosen(browser: Client, newsletter: Newsletter, product: Newsletter, fill: Fill) -> None:
    assert faults(browser.post("/subscribe/", fill(newsletters=[]))) == [str(forms.CHOOSE)]


def test_a_cadence_that_is_not_offered_is_refused(browser: Client, newsletter: Newsletter, fill: Fill) -> None:
    response = browser.post("/subscribe/", fill(**{"cadence_tech-news": "hourly"}))

    assert faults(response) == ["Please choose how often you want Tech News."]


def test_a_filled_trap_asks_once_more_and_loses_nothing_that_was_typed(
    browser: Client, newsletter: Newsletter, fill: Fill
) -> None:
    response = browser.post("/subscribe/", fill(leave_empty="https://rita.test"))

    assert response.status_code == 422
    assert str(forms.FILLED) in faults(response)
    assert value(response, "address") == "rita@reader.org"
    assert value(response, "leave_empty") == ""
    assert not Subscriber.objects.exists()
    assert browser.post("/subscribe/", fill()).status_code == 303


def test_a_filled_trap_of_the_preferences_form_asks_once_more(browser: Client, rita: Subscription) -> None:
    before = Letter.objects.count()
    response = browser.post("/preferences/", {"address": "rita@reader.org", "leave_empty": "https://rita.test"})

    assert response.status_code == 422
    assert str(forms.FILLED) in faults(response)
    assert Letter.objects.count() == before


@pytest.mark.parametrize("path", ["/subscribe/", "/preferences/"])
def test_no_browser_and_no_password_manager_fills_the_trap(browser: Client, newsletter: Newsletter, path: str) -> None:
    shown = browser.post(path, {"address": "rita@reader.org"}) if path == "/subscribe/" else browser.get(path)
    trap = page(shown).select_one("[name=leave_empty]")

    assert trap is not None
    assert trap["autocomplete"] == "off"
    assert {"data-1p-ignore", "data-lpignore", "data-bwignore", "data-form-type"} <= trap.attrs.keys()


@pytest.mark.parametrize(
    ("age", "sentence"),
    [
        (timedelta(seconds=1), "That was very quick. Please send it again."),
        (timedelta(hours=25), "This form was open for a long time. Please check it and send it again."),
    ],
)
def test_a_form_too_young_or_too_old_comes_back_fresh(
    browser: Client, newsletter: Newsletter, fill: Fill, age: timedelta, sentence: str
) -> None:
    stale = form_token(age=age)
    response = browser.post("/subscribe/", fill(form_token=stale))

    assert faults(response) == [sentence]
    assert value(response, "address") == "rita@reader.org"
    assert value(response, "form_token") not in ("", stale)
    assert not Subscriber.objects.exists()


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 3_000])
def test_a_form_without_its_seal_comes_back(browser: Client, newsletter: Newsletter, fill: Fill, token: str) -> None:
    response = browser.post("/subscribe/", fill(form_token=token))

    assert faults(response) == ["This form was not complete. Please send it again."]
    assert not page(response).select("[name=consent][checked]")
    assert not Subscriber.objects.exists()


def test_new_terms_in_between_must_be_agreed_to_anew(
    browser: Client, newsletter: Newsletter, texts: list[LegalVersion], fill: Fill
) -> None:
    data = fill()
    version = legal.draft(document=texts[0].document, body_markdown="Be kinder.", now=timezone.now())
    legal.publish_version(version=version, actor=None, now=timezone.now())
    response = browser.post("/subscribe/", data)

    assert faults(response) == ["Our terms have changed since you opened this form. Please read them and agree again."]
    box = page(response).select_one("[name=consent]")
    assert box is not None
    assert not box.has_attr("checked")
    assert not Subscriber.objects.exists()


def test_a_form_from_another_website_does_nothing(browser: Client, newsletter: Newsletter, fill: Fill) -> None:
    response = browser.post("/subscribe/", fill(), HTTP_ORIGIN="https://evil.test")

    assert response.status_code == 422
    assert faults(response) == [str(views.ELSEWHERE)]
    assert not Subscriber.objects.exists()


def test_a_form_from_our_own_page_is_accepted(browser: Client, newsletter: Newsletter, fill: Fill) -> None:
    assert browser.post("/subscribe/", fill(), HTTP_ORIGIN="http://testserver").status_code == 303


def test_the_seal_of_one_site_is_worthless_with_another_key(
    browser: Client, newsletter: Newsletter, fill: Fill, settings: object
) -> None:
    data = fill()
    settings.SECRET_KEY = "another"  # type: ignore[attr-defined]  # pytest-django's settings fixture
    assert browser.post("/subscribe/", data).status_code == 422


def test_a_cadence_that_went_away_meanwhile_is_named_and_can_be_sent_again(
    browser: Client, newsletter: Newsletter, fill: Fill
) -> None:
    sent = fill(**{"cadence_tech-news": "daily"})
    newsletter.offers.exclude(cadence="weekly").update(is_active=False)
    response = browser.post("/subscribe/", sent)

    assert response.status_code == 422
    assert faults(response) == [
        "How often Tech News comes has changed: weekly. Please send the form again if it suits."
    ]
    again = value(response, "cadence_tech-news")
    assert browser.post("/subscribe/", sent | {"cadence_tech-news": again}).status_code == 303
    assert Subscriber.objects.get().subscriptions.get().cadence == "weekly"
