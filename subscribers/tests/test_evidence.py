"""manage.py evidence: one person's proof, in full and for nobody else's."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from mailkit import addresses
from subscribers import erasure
from subscribers.models import LegalVersion, Newsletter
from subscribers.tests.conftest import BOB, RITA, confirmed, evidence

pytestmark = pytest.mark.django_db


def told(address: str) -> dict[str, object]:
    out = StringIO()
    call_command("evidence", address, stdout=out)
    found: dict[str, object] = json.loads(out.getvalue())
    return found


def test_it_holds_every_act_and_the_words_that_were_shown(newsletter: Newsletter, texts: list[LegalVersion]) -> None:
    confirmed(RITA, newsletter)
    confirmed(BOB, newsletter)
    found = told("Rita@Reader.org")

    assert [event["kind"] for event in found["events"]] == ["requested", "confirmed"]  # type: ignore[attr-defined]  # JSON holds objects
    assert found["events"][0]["ip"] == "198.51.100.77"  # type: ignore[index]  # JSON holds objects
    assert {text["sha256"] for text in found["texts"]} == {version.sha256 for version in texts}  # type: ignore[attr-defined]  # JSON holds objects
    assert found["chain"] == {"intact": True, "first_broken_event": None, "reason": None}
    assert RITA not in json.dumps(found)


def test_it_outlives_the_person(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter)
    erasure.erase(address_key=addresses.normalise(RITA).key, evidence=evidence(), now=timezone.now())
    found = told(RITA)

    assert [event["kind"] for event in found["events"]] == ["requested", "confirmed", "erased"]  # type: ignore[attr-defined]  # JSON holds objects
    assert {event["ip"] for event in found["events"]} == {None}  # type: ignore[attr-defined]  # JSON holds objects
    assert found["suppressed"] == "erased"
    assert found["subscriptions"] == []


def test_nobody_we_know_is_exit_code_1(db: None) -> None:
    with pytest.raises(CommandError, match="No consent is recorded"):
        call_command("evidence", BOB, stdout=StringIO())


def test_what_is_no_address_gets_one_sentence(db: None) -> None:
    with pytest.raises(CommandError, match="one @ in it"):
        call_command("evidence", "rita", stdout=StringIO())
