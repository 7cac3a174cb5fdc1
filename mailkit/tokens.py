"""Signed links: what a holder may do, for which row, and since when.

A token holds row ids and uuids, never an address, and is good for one purpose
only: the purpose is part of the salt. It stays readable while its key is
SECRET_KEY or one of SECRET_KEY_FALLBACKS.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core import signing

MAX_LENGTH = 1_024  # characters; ours stay below 300


class BadToken(Exception):
    """The token is not ours, not for this purpose, or (`expired`) too old. Readers are not told which."""

    def __init__(self, *, expired: bool) -> None:
        super().__init__("The link is no longer valid." if expired else "The link is not valid.")
        self.expired = expired


def sign(*, purpose: str, payload: Mapping[str, str | int]) -> str:
    """Return a URL-safe token (letters, digits, `-`, `_`, `.`) with the time of signing in it."""
    if any("@" in value for value in payload.values() if isinstance(value, str)):
        raise ValueError("A token must not hold an address; give the row's uuid.")
    return _signer(purpose).sign_object(dict(payload))


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
    return signing.TimestampSigner(salt=f"newsroom.mailkit.tokens:{purpose}", sep=".")
