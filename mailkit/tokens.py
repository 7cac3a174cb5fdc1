"""Signed links: what a holder may do, for which row, and since when.

A token holds row ids and uuids, never an address, and is good for one purpose
only: the purpose is part of the salt. It stays readable while its key is
SECRET_KEY or one of SECRET_KEY_FALLBACKS.
"""

import base64
import functools
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core import signing

_SEPARATOR = "."
# One encoder for all tokens: `json.dumps` makes a new one for each call with separators.
_COMPACT = json.JSONEncoder(separators=(",", ":")).encode
MAX_LENGTH = 1_024  # characters; ours stay below 300


class BadToken(Exception):
    """The token is not ours, not for this purpose, or (`expired`) too old. Readers do not learn which."""

    def __init__(self, *, expired: bool) -> None:
        super().__init__("The link is no longer valid." if expired else "The link is not valid.")
        self.expired = expired


def sign(*, purpose: str, payload: Mapping[str, str | int]) -> str:
    """Return a URL-safe token (letters, digits, `-`, `_`, `.`) with the time of signing in it.

    It is what Django's `TimestampSigner.sign_object` writes. Each copy of bulk mail has two tokens, and
    Django's signer would derive the key again for each of them.
    """
    text = _COMPACT(payload)
    if "@" in text:
        raise ValueError("A token must not hold an address; give the row's uuid.")
    signed = _urlsafe(text.encode("latin-1")) + f"{_SEPARATOR}{signing.b62_encode(int(time.time()))}".encode()
    mac = hmac.digest(_key(purpose, settings.SECRET_KEY), signed, "sha256")
    return (signed + _SEPARATOR.encode() + _urlsafe(mac)).decode()


def read(token: str, *, purpose: str, max_age: timedelta | None) -> dict[str, Any]:
    """Return the payload of a token signed for this purpose at most `max_age` ago (None: whenever).

    On failure: BadToken. Its `expired` is True only for a genuine token that is too old.
    """
    if len(token) > MAX_LENGTH:
        raise BadToken(expired=False)
    try:
        payload = _signer(purpose).unsign_object(token, max_age=max_age)
    except signing.SignatureExpired:
        raise BadToken(expired=True) from None
    except (signing.BadSignature, ValueError):
        raise BadToken(expired=False) from None
    if not isinstance(payload, dict):
        raise BadToken(expired=False)
    return payload


def _signer(purpose: str) -> signing.TimestampSigner:
    return signing.TimestampSigner(salt=_salt(purpose), sep=_SEPARATOR)


def _salt(purpose: str) -> str:
    return f"newsroom.mailkit.tokens:{purpose}"


def _urlsafe(data: bytes) -> bytes:
    """Base64 for URLs without its padding (RFC 4648 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


@functools.lru_cache(maxsize=32)
def _key(purpose: str, secret: str) -> bytes:
    """The key that `TimestampSigner` derives from the salt and the secret."""
    return hashlib.sha256(f"{_salt(purpose)}signer{secret}".encode()).digest()
