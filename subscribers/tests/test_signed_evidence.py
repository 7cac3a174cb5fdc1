"""The signed proof: whole, checked by anybody without our servers, and worthless after any change."""

import base64
import functools
import json
import operator
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from pytest_django import Settings

from core import signed_json
from core.signed_json import Verdict
from mailkit import addresses
from publication import groups
from staff.models import AuditEvent
from subscribers import erasure, links, signed_evidence
from subscribers.models import ConsentEvent, LegalVersion, Newsletter
from tests.cast import RITA, Staff, confirmed, evidence

pytestmark = pytest.mark.django_db
OPERATIONS = settings.BASE_DIR / "docs/operations.md"


def signed() -> bytes:
    out = StringIO()
    call_command("evidence", RITA, "--signed", stdout=out)
    return out.getvalue().encode()


def verdict(file: bytes) -> Verdict:
    return signed_json.judge(
        file, member=signed_evidence.MEMBER, kind=signed_evidence.KIND, keys=signed_evidence.public_keys()
    ).verdict


@pytest.fixture
def proof(newsletter: Newsletter, texts: list[LegalVersion]) -> bytes:
    """Rita's."""
    confirmed(RITA, newsletter)
    return signed()


def test_it_has_each_act_and_text_and_the_head_of_the_record(proof: bytes, texts: list[LegalVersion]) -> None:
    content = json.loads(proof)["evidence"]
    last = ConsentEvent.objects.latest("pk")
    assert content["address"] == RITA
    assert [event["kind"] for event in content["events"]] == ["requested", "confirmed"]
    assert {text["html"] for text in content["texts"]} == {version.body_html for version in texts}
    assert content["record"] == {
        "acts_of_this_person": 2, "head": last.hash, "last_event": last.pk, "length": ConsentEvent.objects.count(),
    }  # fmt: skip
    call_command("verify_consent", "--expect-head", f"2:{content['record']['head']}", stdout=StringIO())


def test_one_sentence_says_what_a_file_is_without_any_server(proof: bytes, tmp_path: Path) -> None:
    file, keys, others = tmp_path / "consent.json", tmp_path / "keys.json", tmp_path / "others.json"
    file.write_bytes(proof)
    out = StringIO()
    call_command("evidence_keys", "--json", stdout=out)
    keys.write_text(out.getvalue())
    others.write_text(json.dumps(signed_json.jwk(Ed25519PrivateKey.generate().public_key())))
    nowhere = dict.fromkeys(("DATABASE_URL", "DATABASE_OWNER_URL"), "postgres://nobody@127.0.0.1:1/none")
    nowhere |= {"REDIS_URL": "redis://127.0.0.1:1/0"}
    command = [sys.executable, "manage.py", "verify_evidence", str(file), "--key", str(keys)]
    done = subprocess.run(  # our own command
        command, cwd=settings.BASE_DIR, env=os.environ | nowhere, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Valid: Block News International")
    assert f"2 acts of {RITA}" in done.stdout

    def refusal(content: bytes, key: Path = keys) -> str:
        file.write_bytes(content)
        with pytest.raises(CommandError) as refused:
            call_command("verify_evidence", str(file), "--key", str(key))
        return str(refused.value)

    assert refusal(proof.replace(b"daily", b"weekly")).startswith("Changed: this file is not what was signed")
    assert "spaces or line ends" in refusal(proof.replace(b"\n", b"\r\n"))
    assert refusal(proof, others).startswith("Wrong key: the file says that the key ")
    assert refusal(b'{"evidence": {}}') == refusal(b"%PDF-1.7") == "This is no signed proof of consent."
    assert refusal(proof, file).endswith("holds no Ed25519 public key.")
    assert "No such file" in refusal(proof, tmp_path / "none.pem")


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value of a document that has no parts."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not parts:
        yield way
    for name, part in parts:
        yield from places(part, (*way, name))


def written(document: Any) -> bytes:
    """As our files are."""
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def test_no_value_can_be_changed_removed_or_hidden(proof: bytes) -> None:
    ways = list(places(json.loads(proof)))
    assert len(ways) > 60
    for way in ways:
        for change in (lambda held, name: operator.setitem(held, name, "x"), operator.delitem):
            document = json.loads(proof)
            change(functools.reduce(operator.getitem, way[:-1], document), way[-1])
            assert verdict(written(document)) in {Verdict.CHANGED, Verdict.OTHER}, way
    assert verdict(proof.replace(b'"address":', b'"address": "eve@evil.org",\n    "address":', 1)) is Verdict.CHANGED
    assert verdict(proof.replace(b'"intact": true', b'"intact": 1')) is Verdict.CHANGED
    assert verdict(proof.replace(b"Be kind", rb"\u0042e kind", 1)) is Verdict.CHANGED


def test_no_byte_can_be_changed(proof: bytes) -> None:
    assert verdict(proof) is Verdict.VALID

    @effort(max_examples=300, deadline=None)
    @given(place=st.integers(0, len(proof) - 1), bits=st.integers(1, 255))
    def changed(place: int, bits: int) -> None:
        file = bytearray(proof)
        file[place] ^= bits
        assert verdict(bytes(file)) is not Verdict.VALID

    changed()
    # The last letter of the signature has bits that mean nothing.
    end = proof.rindex(b'"')
    others = {proof[: end - 1] + bytes([letter]) + proof[end:] for letter in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgh"}
    assert {verdict(file) for file in others - {proof}} == {Verdict.CHANGED}


def test_the_recipe_of_the_documentation_checks_it_with_openssl(proof: bytes, tmp_path: Path) -> None:
    (tmp_path / "consent.json").write_bytes(proof)
    for name, key in signed_evidence.public_keys().items():
        (tmp_path / f"{name}.pem").write_text(signed_json.pem(key))
    name = json.loads(base64.urlsafe_b64decode(json.loads(proof)["signature"].split(".")[0] + "=="))["kid"]
    recipe = re.findall(r"```sh\n(python3 - consent.*?)```", OPERATIONS.read_text(), re.DOTALL)[0]
    lines = [line.replace("KEY", name) for line in recipe.splitlines() if not line.startswith("curl ")]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # what our own page says
            ["/bin/sh", "-c", "\n".join(lines)], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    done = run()
    assert done.stdout == f"{name}\nSignature Verified Successfully\n", done.stderr
    (tmp_path / "consent.json").write_bytes(proof.replace(b"daily", b"weekly"))
    assert run().returncode == 1


def test_a_former_key_stays_published(proof: bytes, settings: Settings, client: Client) -> None:
    settings.CONSENT_KEY_FALLBACKS = [settings.CONSENT_KEY, *settings.CONSENT_KEY_FALLBACKS]
    settings.CONSENT_KEY = "a new one"
    published = signed_json.read_keys(client.get("/evidence-keys.json").content.decode())
    for file in (proof, signed()):
        judgement = signed_json.judge(file, member="evidence", kind=signed_evidence.KIND, keys=published)
        assert judgement.verdict is Verdict.VALID
        one = client.get(f"/evidence-keys/{judgement.key_id}.pem").content.decode()
        assert list(signed_json.read_keys(one)) == [judgement.key_id]
    assert client.get("/evidence-keys/none.pem").status_code == 404


def test_the_desk_and_the_reader_download_it(proof: bytes, staff: Staff, client: Client) -> None:
    reader = confirmed("bob@reader.org", Newsletter.objects.get()).subscriber
    response = staff(groups.PUBLISHER).get(f"/admin/readers/{reader.uuid}/evidence.json")
    assert response["Content-Disposition"] == f'attachment; filename="consent-{reader.uuid}.json"'
    entries = AuditEvent.objects.count()
    mine = client.get(f"/preferences/{links.preferences_token(subscriber=reader)}/consent.json")
    assert AuditEvent.objects.count() == entries
    for file in (response.content, mine.content):
        assert verdict(file) is Verdict.VALID
        assert json.loads(file)["evidence"]["address"] == "bob@reader.org"


def test_it_is_there_for_somebody_who_was_erased(proof: bytes) -> None:
    erasure.erase(address_key=addresses.normalise(RITA).key, evidence=evidence(), actor=None, now=timezone.now())
    file = signed()
    assert verdict(file) is Verdict.VALID
    assert [event["kind"] for event in json.loads(file)["evidence"]["events"]][-1] == "erased"
