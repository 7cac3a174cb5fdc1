"""Links of a hash chain: an HMAC-SHA256 over the canonical JSON of a row, which holds the hash of the row before.

Two records are such chains: the proof of consent and the audit log. Each has keys of its own, which are
derived from a configured secret and the name of the record.
"""

import functools
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

# What the first link has for the hash of the one before.
GENESIS: Final = "0" * 64
# A text as canonical JSON has it.
_quoted = json.encoder.encode_basestring_ascii


def seal(facts: Mapping[str, Any], *, key: str, record: str) -> str:
    """The 64 hex digits that belong to these facts of the named record."""
    return hmac.digest(_derived(record, key), canonical(facts), "sha256").hex()


class Sealer:
    """`seal` for many rows that differ in a few facts, all of them texts: the canonical JSON is made once.

    `facts` are those of one row; `varying` names the facts that others have in their place.
    """

    def __init__(self, facts: Mapping[str, Any], *, varying: Sequence[str], key: str, record: str) -> None:
        marks = {name: secrets.token_hex(16) for name in varying}
        pattern = canonical({**facts, **marks}).decode()
        # In the order of the names, in which canonical JSON has its facts.
        self._names = sorted(varying)
        self._pieces = []
        for name in self._names:
            piece, _, pattern = pattern.partition(f'"{marks[name]}"')
            self._pieces.append(piece)
        self._end = pattern
        self._key = _derived(record, key)

    def seal(self, **varying: str) -> str:
        """What `seal` returns for the facts with these in place of their own."""
        pairs = zip(self._pieces, self._names, strict=True)
        text = "".join([piece + _quoted(varying[name]) for piece, name in pairs])
        return hmac.digest(self._key, (text + self._end).encode(), "sha256").hex()


def canonical(facts: Mapping[str, Any]) -> bytes:
    """The bytes that are sealed: JSON with sorted keys, no spaces, ASCII only, times in UTC."""
    return json.dumps(dict(facts), sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_text).encode()


def key_id(key: str, *, record: str) -> str:
    """The name of a key, in 8 hex digits that do not tell it."""
    return hashlib.sha256(f"newsroom.{record}.key:{key}".encode()).hexdigest()[:8]


def _text(fact: Any) -> str:
    if isinstance(fact, datetime):
        return fact.astimezone(UTC).isoformat(timespec="microseconds")
    return str(fact)


@functools.lru_cache(maxsize=8)
def _derived(record: str, key: str) -> bytes:
    return hashlib.sha256(f"newsroom.{record}:{key}".encode()).digest()
