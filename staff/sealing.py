"""Secrets of second factors are stored sealed: who reads the database cannot make the codes of an authenticator app.

The key is drawn from SECRET_KEY; what was sealed with one of SECRET_KEY_FALLBACKS is read as well, and `renew` seals
it with the present key. The clock calls it, so a former key is needed for minutes only. See decision 0132.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import logging
import secrets
from typing import Final

from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import transaction

log = logging.getLogger(__name__)

SEAL: Final = "sealed"
# Where django-allauth keeps what it asks the adapter to encrypt.
PLACES: Final = ("secret", "seed")


def seal(text: str) -> str:
    """The text as it is stored: with the seal's name and the number of its key."""
    number, key = _keys()[0]
    return f"{SEAL}:{number}:{key.encrypt(text.encode()).decode()}"


def unseal(stored: str) -> str:
    """The text again. What was stored before there was a seal is itself.

    When its key is gone, or the row was altered, the text is one that nobody has: each code is wrong then, and an
    administrator resets the person's second factor.
    """
    if not stored.startswith(f"{SEAL}:"):
        return stored
    number, _colon, token = stored.removeprefix(f"{SEAL}:").partition(":")
    for known, key in _keys():
        if known == number:
            try:
                return key.decrypt(token).decode()
            except InvalidToken:
                break
    log.error("the secret of a second factor cannot be read: its key (%s) is gone, or it was altered", number)
    return base64.b32encode(secrets.token_bytes(20)).decode()


def renew() -> int:
    """Seal with the present key what is stored in plain words or under a former key; return how many rows."""
    prefix = f"{SEAL}:{_keys()[0][0]}:"
    renewed = 0
    for place in PLACES:
        stale = Authenticator.objects.filter(data__has_key=place).exclude(**{f"data__{place}__startswith": prefix})
        for pk in stale.values_list("pk", flat=True):
            renewed += _renew_one(pk, place)
    return renewed


@transaction.atomic
def _renew_one(pk: int, place: str) -> bool:
    row = Authenticator.objects.select_for_update(no_key=True).filter(pk=pk, data__has_key=place).first()
    if row is None:
        return False
    stored = row.data[place]
    known = {number for number, _key in _keys()}
    if stored.startswith(f"{SEAL}:") and stored.split(":")[1] not in known:
        return False
    row.data[place] = seal(unseal(stored))
    row.save(update_fields=["data"])
    return True


def _keys() -> list[tuple[str, Fernet]]:
    """Each with its number, the present one first."""
    return [_key(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]


@functools.lru_cache(maxsize=8)
def _key(secret: str) -> tuple[str, Fernet]:
    key = hashlib.sha256(f"newsroom.staff.sealing:{secret}".encode()).digest()
    return hashlib.sha256(key).hexdigest()[:8], Fernet(base64.urlsafe_b64encode(key))
