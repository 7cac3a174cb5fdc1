"""A JSON file with an Ed25519 signature that anybody can check without us.

The file is an object with two members: the content, and `signature`, a detached JWS (RFC 7515, appendix F; EdDSA of
RFC 8037) over the content in the canonical form of RFC 8785. So it stays readable, and is checked with any JOSE
library, or with openssl as docs/operations.md shows. What is read here has to be the file byte by byte as it was
written: no value can be hidden behind another spelling of it.

This module needs nothing but the standard library and `cryptography`.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE: Final = "signature"
ALGORITHM: Final = "EdDSA"
# Above it a number is not the same for every reader of JSON (RFC 8785, 3.2.2.3).
GREATEST: Final = 2**53
Keys = Mapping[str, Ed25519PublicKey]


class NotSignable(ValueError):
    """The content has what RFC 8785 writes in another way than we do, or what no file of ours has."""


class NotAKey(ValueError):
    """The text holds no Ed25519 public key."""


class Verdict(enum.Enum):
    """What a file is."""

    VALID = "valid"
    CHANGED = "changed"
    REWRITTEN = "rewritten"
    WRONG_KEY = "wrong key"
    OTHER = "something else"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, the name of the key that the file says has signed it, and the content when it is valid."""

    verdict: Verdict
    key_id: str = ""
    content: dict[str, Any] = field(default_factory=dict)


def sign(content: Mapping[str, Any], *, member: str, kind: str, key: Ed25519PrivateKey) -> str:
    """The text of the file: the content as `member`, and its signature. On failure: NotSignable."""
    header = {"alg": ALGORITHM, "kid": key_id(key.public_key()), "typ": kind}
    start = _encode(canonical(header)) + "."
    signature = key.sign((start + _encode(canonical(content))).encode())
    return _written({member: content, SIGNATURE: f"{start}.{_encode(signature)}"})


def judge(file: bytes, *, member: str, kind: str, keys: Keys) -> Judgement:
    """What this file is. Nothing of it is believed but by one of the keys."""
    parsed = _parsed(file)
    if parsed is None or set(parsed) != {member, SIGNATURE}:
        return Judgement(Verdict.OTHER)
    start, _dots, end = str(parsed[SIGNATURE]).partition("..")
    header = _header(start)
    if header.get("typ") != kind or header.get("alg") != ALGORITHM:
        return Judgement(Verdict.OTHER)
    name = str(header.get("kid", ""))
    if name not in keys:
        return Judgement(Verdict.WRONG_KEY, name)
    try:
        keys[name].verify(_decode(end), f"{start}.{_encode(canonical(parsed[member]))}".encode())
    except (InvalidSignature, NotSignable):
        return Judgement(Verdict.CHANGED, name)
    return Judgement(verdict := _of_bytes(file, parsed, end), name, parsed[member] if verdict is Verdict.VALID else {})


def _of_bytes(file: bytes, parsed: Mapping[str, Any], signature: str) -> Verdict:
    """What a file is whose values are those that were signed: JSON has several spellings of a value, and takes the last
    of two members with one name.
    """
    written = _written(parsed).encode()
    if _encode(_decode(signature)) != signature or file.split() != written.split():
        return Verdict.CHANGED
    return Verdict.VALID if file == written else Verdict.REWRITTEN


def canonical(content: object) -> bytes:
    """RFC 8785, for text, whole numbers, truth values, null, lists, and objects with ASCII names.

    On failure: NotSignable.
    """
    try:
        _check(content)
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    except (RecursionError, UnicodeEncodeError):
        raise NotSignable from None


def key_id(key: Ed25519PublicKey) -> str:
    """The name of a key: its thumbprint (RFC 7638, RFC 8037 appendix A.3)."""
    return _encode(hashlib.sha256(canonical(_members(key))).digest())


def jwk(key: Ed25519PublicKey) -> dict[str, str]:
    """The public key as JSON (RFC 8037)."""
    return {**_members(key), "kid": key_id(key), "alg": ALGORITHM, "use": "sig"}


def pem(key: Ed25519PublicKey) -> str:
    """The public key as openssl reads it."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def read_keys(text: str) -> Keys:
    """The keys of a PEM file, a JWK or a set of them, by name. On failure: NotAKey."""
    try:
        keys = _from_pem(text) if "-----BEGIN" in text else _from_json(json.loads(text))
    except (ValueError, KeyError, TypeError, UnsupportedAlgorithm):
        raise NotAKey from None
    if not keys:
        raise NotAKey
    return {key_id(key): key for key in keys}


def _from_pem(text: str) -> list[Ed25519PublicKey]:
    blocks = [f"-----BEGIN{block}" for block in text.split("-----BEGIN")[1:]]
    return [_ours(serialization.load_pem_public_key(block.encode())) for block in blocks]


def _from_json(document: Mapping[str, Any]) -> list[Ed25519PublicKey]:
    members: Iterable[Mapping[str, str]] = document.get("keys", [document])
    edwards = (one for one in members if one["kty"] == "OKP" and one["crv"] == "Ed25519")
    return [Ed25519PublicKey.from_public_bytes(_decode(one["x"])) for one in edwards]


def _ours(key: object) -> Ed25519PublicKey:
    if not isinstance(key, Ed25519PublicKey):
        raise NotAKey
    return key


def _members(key: Ed25519PublicKey) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": _encode(key.public_bytes_raw())}


def _check(content: object) -> None:
    if isinstance(content, Mapping):
        if not all(isinstance(name, str) and name.isascii() for name in content):
            raise NotSignable
        content = list(content.values())
    if isinstance(content, list):
        for each in content:
            _check(each)
    elif isinstance(content, float) or (isinstance(content, int) and abs(content) > GREATEST):
        raise NotSignable


def _written(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _parsed(file: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(file.decode())
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _header(encoded: str) -> dict[str, Any]:
    return _parsed(_decode(encoded)) or {}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Nothing for what is no base64url. Several texts may be the same bytes."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
