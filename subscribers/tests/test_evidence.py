"""manage.py evidence: one person's proof, in full and for nobody else's."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from mailkit import addresses
from subscribers import erasure
from subscribers.models import ConsentEvent, LegalVersion, Newsletter
from subscribers.tests.test_consent_chain import an_intruder
from tests.cast import BOB, RITA, confirmed, evidence

pytestmark = pytest.mark.django_db


def proof_of(address: str) -> dict[str, Any]:
    out = StringIO()
    call_command("evidence", address, stdout=out)
    proof: dict[str, Any] = json.loads(out.getvalue())
    return proof


def test_it_holds_every_act_and_the_words_that_were_shown(newsletter: Newsletter, texts: list[LegalVersion]) -> None:
    confirmed(RITA, newsletter)
    confirmed(BOB, newsletter)
    proof = proof_of("Rita@Reader.org")

    assert [event["kind"] for event in proof["events"]] == ["requested", "confirmed"]
    assert proof["events"][0]["ip"] == "198.51.100.77"
    assert {text["sha256"] for text in proof["texts"]} == {version.sha256 for version in texts}
    assert proof["chain"] == {"intact": True, "first_broken_event": None, "reason": None}
    assert RITA not in json.dumps(proof)


def test_it_outlives_the_person(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter)
    erasure.erase(address_key=addresses.normalise(RITA).key, evidence=evidence(), actor=None, now=timezone.now())
    proof = proof_of(RITA)

    assert [event["kind"] for event in proof["events"]] == ["requested", "confirmed", "erased"]
    assert {event["ip"] for event in proof["events"]} == {None}
    assert proof["suppressed"] == "erased"
    assert proof["subscriptions"] == []


def test_whatever_was_overwritten_is_named(newsletter: Newsletter, capsys: pytest.CaptureFixture[str]) -> None:
    confirmed(BOB, newsletter)
    confirmed(RITA, newsletter)
    first, last = ConsentEvent.objects.order_by("pk")[0], ConsentEvent.objects.order_by("pk")[3]
    with an_intruder():
        ConsentEvent.objects.filter(pk=last.pk).update(form_text="I agree to everything.")
        ConsentEvent.objects.filter(pk=first.pk).update(basis="rewritten")
    with an_intruder("subscribers_legalversion"):
        LegalVersion.objects.filter(document__slug="privacy")._raw_delete("default")
    proof = proof_of(RITA)

    assert proof["chain"]["intact"] is False
    assert [event["form_text_is_as_shown"] for event in proof["events"]] == [True, False]
    assert {text["document"]: text["is_as_shown"] for text in proof["texts"]} == {
        "terms-of-use": True,
        "privacy": False,
    }
    assert proof["faults_of_the_record"] == [
        f"Broken at consent event {first.pk}: its content was changed after it was recorded.",
        f"The consent sentence of event {last.pk} was overwritten: it does not have the hash recorded beside it.",
        "Version 1 of “privacy”, which 4 events name, is not stored as it was shown.",
    ]
    assert "\n".join(proof["faults_of_the_record"]) in capsys.readouterr().err
    with pytest.raises(CommandError, match=f"The consent sentence of event {last.pk} was overwritten"):
        call_command("verify_consent", stdout=StringIO())


def test_nobody_we_know_is_exit_code_1(db: None) -> None:
    with pytest.raises(CommandError, match="No consent is recorded"):
        call_command("evidence", BOB, stdout=StringIO())


def test_what_is_no_address_gets_one_sentence(db: None) -> None:
    with pytest.raises(CommandError, match="one @ in it"):
        call_command("evidence", "rita", stdout=StringIO())
