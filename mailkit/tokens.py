"""Signed links: what a holder may do, for which row, and since when.

A token holds row ids and uuids, never an address, and is good for one purpose
only: the purpose is part of the salt. It stays readable while its key is
SECRET_KEY or one of SECRET_KEY_FALLBACKS.
"""

import binascii
import functools
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core import signing

_SEPARATOR = "."
_URL_ALPHABET = bytes.maketrans(b"+/", b"-_")
# One encoder for all tokens: `json.dumps` makes a new one for each call with separators.
_COMPACT = json.JSONEncoder(separators=(",", ":")).encode
_BLOCK = 64  # bytes that SHA-256 takes at a time
MAX_LENGTH = 1_024  # characters; ours stay below 300


class BadToken(Exception):
    """The token is not ours, not for this purpose, or (`expired`) too old. Readers do not learn which."""

    def __init__(self, *, expired: bool) -> None:
        super().__init__("The link is no longer valid." if expired else "The link is not valid.")
        self.expired = expired


def sign(*, purpose: str, payload: Mapping[str, str | int]) -> str:
    """Return a URL-safe token (letters, digits, `-`, `_`, `.`) with the time of signing in it."""
    return writer(purpose=purpose)(_COMPACT(dict(payload)))


def writer(*, purpose: str) -> Callable[[str], str]:
    """A function that signs payloads which are compact JSON already, two per copy of bulk mail, with the key of now.

    Django's own format and key, written here because its signer derives the key again for each token:
    60 microseconds of it against 3. The hash is RFC 2104's, begun with the key and copied for each token.
    """
    inner, outer = _keyed(purpose, settings.SECRET_KEY)

    def write(written: str) -> str:
        if "@" in written:
            raise ValueError("A token must not hold an address; give the row's uuid.")
        stamped = _urlsafe(written.encode("latin-1")) + _seconds(int(time.time()))
        text = inner.copy()
        text.update(stamped)
        mac = outer.copy()
        mac.update(text.digest())
        return (stamped + b"." + _urlsafe(mac.digest())).decode()

    return write


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


@functools.lru_cache(maxsize=2)
def _seconds(since_1970: int) -> bytes:
    """The time of signing behind its separator; most copies of a batch share it."""
    return f"{_SEPARATOR}{signing.b62_encode(since_1970)}".encode()


def _urlsafe(data: bytes) -> bytes:
    """Base64 for URLs without its padding (RFC 4648 5)."""
    return binascii.b2a_base64(data, newline=False).translate(_URL_ALPHABET).rstrip(b"=")


@functools.lru_cache(maxsize=32)
def _keyed(purpose: str, secret: str) -> tuple["hashlib._Hash", "hashlib._Hash"]:
    """The inner and the outer hash of HMAC-SHA256 (RFC 2104 2) with `TimestampSigner`'s key, before any text."""
    key = hashlib.sha256(f"{_salt(purpose)}signer{secret}".encode()).digest().ljust(_BLOCK, b"\0")
    return hashlib.sha256(bytes(byte ^ 0x36 for byte in key)), hashlib.sha256(bytes(byte ^ 0x5C for byte in key))
