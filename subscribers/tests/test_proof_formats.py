"""A record says which facts its hash covers and which key sealed it: a new fact or a new key falsifies none."""

import uuid
from datetime import UTC, datetime

import pytest
from pytest_django.fixtures import Settings

from subscribers import consent, verification
from subscribers.models import ConsentEvent, Newsletter
from tests.cast import BOB, RITA, ask, confirmed

pytestmark = pytest.mark.django_db

KEY = "a key of long ago, with forty characters"
FACTS = {
    "kind": "confirmed",
    "subscriber_uuid": uuid.UUID("00000000-0000-4000-8000-000000000001"),
    "address_hash": "a" * 64,
    "newsletter_slug": "tech-news",
    "cadence": "daily",
    "documents": [{"document": "terms", "version": 1, "sha256": "b" * 64}],
    "form_text": "I agree – with ümlauts.",
    "form_text_sha256": "c" * 64,
    "form_url": "https://news.example.org/subscribe/",
    "locale": "en",
    "source": "form",
    "basis": "",
    "user_agent_sha256": "d" * 64,
    "occurred_at": datetime(2025, 5, 6, 9, 30, tzinfo=UTC),
    "previous_hash": "0" * 64,
}
# What these facts were sealed as when each format was introduced. They never change again.
SEALED_AS = {
    1: "479e4938f87ddf2b0d2fa5f461d0f7a3f9b1856257b479ed94b60d9a93f5ee7f",
    2: "e4e0da0f82d73174e9f37f8c3cc1fb01c66d4c5f550b6d89b869483b0ee5e23f",
}


@pytest.mark.parametrize("number", SEALED_AS)
def test_a_record_of_each_format_keeps_its_hash_for_ever(number: int) -> None:
    event = ConsentEvent(**FACTS, format=number, key_id="" if number == 1 else consent.key_id(KEY))

    assert consent.seal(event, key=KEY) == SEALED_AS[number]


def test_one_more_fact_leaves_earlier_records_true(newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch) -> None:
    confirmed(RITA, newsletter)
    monkeypatch.setitem(consent.FORMATS, 3, (*consent.FORMATS[2], "id"))
    monkeypatch.setattr(consent, "FORMAT", 3)

    assert consent.verify() is None


def test_a_format_of_a_later_version_is_named(newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(consent.FORMATS, 9, consent.FORMATS[2])
    monkeypatch.setattr(consent, "FORMAT", 9)
    ask(RITA, newsletter)
    monkeypatch.delitem(consent.FORMATS, 9)

    broken = consent.verify()
    assert broken is not None
    assert "format 9 is not known" in broken.reason


def test_the_key_can_be_changed_and_the_former_one_still_proves(newsletter: Newsletter, settings: Settings) -> None:
    settings.CONSENT_KEY = KEY
    confirmed(RITA, newsletter)
    settings.CONSENT_KEY, settings.CONSENT_KEY_FALLBACKS = "the next key of forty characters or more", [KEY]
    confirmed(BOB, newsletter)

    assert consent.verify() is None
    assert len(set(ConsentEvent.objects.values_list("key_id", flat=True))) == 2


def test_a_wrong_key_is_said_to_be_one(newsletter: Newsletter, settings: Settings) -> None:
    settings.CONSENT_KEY = KEY
    confirmed(RITA, newsletter)
    settings.CONSENT_KEY, settings.CONSENT_KEY_FALLBACKS = "another key of forty characters or more!", []

    (fault,) = verification.verify().faults
    assert f"sealed with the key {consent.key_id(KEY)}" in fault
    assert "add the former key to CONSENT_KEY_FALLBACKS" in fault
    assert "changed" not in fault


def test_a_record_from_before_keys_had_names_is_proved_by_any_that_is_there(settings: Settings) -> None:
    settings.CONSENT_KEY, settings.CONSENT_KEY_FALLBACKS = "the key of today, forty characters long", [KEY]
    event = ConsentEvent(**FACTS, format=1)
    event.hash = consent.seal(event, key=KEY)
    event.save()
    assert consent.verify() is None

    settings.CONSENT_KEY_FALLBACKS = []
    broken = consent.verify()
    assert broken is not None
    assert "no key that is configured has sealed it" in broken.reason
