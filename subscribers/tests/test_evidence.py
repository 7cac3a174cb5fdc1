"""manage.py evidence: one person's proof, in full and for nobody else's."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from mailkit import addresses
from subscribers import consent_heads, erasure, tasks
from subscribers import evidence as evidence_of
from subscribers.models import ConsentEvent, LegalVersion, Newsletter
from subscribers.tests.test_consent_chain import an_intruder
from tests import redis_keys
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


def test_a_page_verifies_one_persons_links_and_the_newest_head_alone(
    newsletter: Newsletter, settings: Settings, tmp_path: Path, admin_user: User
) -> None:
    settings.CONSENT_HEADS = tmp_path
    redis_keys.forget()
    for address in (BOB, RITA, "else@reader.org"):
        confirmed(address, newsletter)
    consent_heads.anchor(now=timezone.now())

    def chain() -> dict[str, Any]:
        proof = evidence_of.of(address=RITA, actor=admin_user, now=timezone.now())
        return {"remarks": proof["remarks_on_the_record"], "faults": proof["faults_of_the_record"], **proof["chain"]}

    assert chain() == {
        "intact": True, "first_broken_event": None, "reason": None, "faults": [],
        "remarks": ["The whole record was not walked yet; the clock does so once a day."],
    }  # fmt: skip
    first, fourth, last = (ConsentEvent.objects.order_by("pk")[place] for place in (0, 3, 5))
    with an_intruder():
        ConsentEvent.objects.filter(pk=first.pk).update(basis="rewritten")
    assert chain()["intact"], "what is not about her is for the walk"
    tasks.walk_record()
    assert chain()["remarks"][1].startswith(f"Broken at consent event {first.pk}")
    with an_intruder():
        ConsentEvent.objects.filter(pk=fourth.pk).update(cadence="weekly", basis="rewritten")
    assert chain()["first_broken_event"] == fourth.pk
    with an_intruder():
        ConsentEvent.objects.filter(pk=last.pk).update(hash="0" * 64)
    assert "has lost events" in chain()["faults"][1]


def test_a_neighbour_that_was_put_in_later_shows(newsletter: Newsletter, admin_user: User) -> None:
    confirmed(BOB, newsletter)
    confirmed(RITA, newsletter)
    confirmed("else@reader.org", newsletter)
    events = list(ConsentEvent.objects.order_by("pk"))
    for place, column, broken in ((4, "previous_hash", 4), (1, "hash", 2)):
        with an_intruder():
            ConsentEvent.objects.filter(pk=events[place].pk).update(**{column: "f" * 64})
        proof = evidence_of.of(address=RITA, actor=admin_user, now=timezone.now())
        assert proof["chain"]["first_broken_event"] == events[broken].pk
