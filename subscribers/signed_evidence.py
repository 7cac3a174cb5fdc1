"""One person's proof of consent as a file that we have signed, for those who have nothing of ours but a public key.

The keys are made of those that seal the consent record, so that they are changed together: CONSENT_KEY signs, and the
public keys of CONSENT_KEY_FALLBACKS stay published (docs/decisions/0181).
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.urls import reverse

from core import signed_json
from mailkit import addresses
from publication import urls as site
from publication.models import Publication
from subscribers import consent, evidence
from subscribers.models import ConsentEvent, Subscriber

MEMBER: Final = "evidence"
KIND: Final = "newsroom-consent-evidence+json"
PURPOSE: Final = b"newsroom.subscribers.evidence:ed25519"


def of(*, address: str, actor: AbstractBaseUser | None, now: datetime, is_whole_walked: bool = False) -> str:
    """The text of the file; the rest is as in `evidence.of`."""
    record = _record()
    proof = evidence.of(address=address, actor=actor, now=now, is_whole_walked=is_whole_walked)
    return _signed(proof, record, addresses.normalise(address).address, now)


def of_reader(*, subscriber: Subscriber, now: datetime) -> str:
    """The same for the reader who asks."""
    record = _record()
    proof = evidence.gather(address_key=subscriber.address_key)
    return _signed(proof, record, subscriber.address, now)


def public_keys() -> dict[str, Ed25519PublicKey]:
    """Name -> key: the one that signs now, and those before it."""
    keys = (_private(key).public_key() for key in (settings.CONSENT_KEY, *settings.CONSENT_KEY_FALLBACKS))
    return {signed_json.key_id(key): key for key in keys}


def _record() -> dict[str, Any]:
    """How long the record is, and its last event: what `verify_consent --expect-head` asks for."""
    event, head = ConsentEvent.objects.order_by("-pk").values_list("pk", "hash").first() or (0, consent.GENESIS)
    return {"length": ConsentEvent.objects.filter(pk__lte=event).count(), "last_event": event, "head": head}


def _signed(proof: dict[str, Any], record: dict[str, Any], address: str, now: datetime) -> str:
    publication = Publication.objects.current()
    # Acts that came while this was written are behind the head.
    proof["events"] = [event for event in proof["events"] if event["id"] <= record["last_event"]]
    content = {
        **proof,
        "address": address,
        "issued_at": now.astimezone(UTC).isoformat(timespec="seconds"),
        "issuer": {
            "name": publication.name,
            "owner": publication.owner,
            "site": settings.SITE_URL,
            "keys": site.absolute(reverse("evidence_keys")),
        },
        "record": {**record, "acts_of_this_person": len(proof["events"])},
    }
    return signed_json.sign(content, member=MEMBER, kind=KIND, key=_private(settings.CONSENT_KEY))


@functools.lru_cache(maxsize=8)
def _private(key: str) -> Ed25519PrivateKey:
    seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(key.encode())
    return Ed25519PrivateKey.from_private_bytes(seed)
