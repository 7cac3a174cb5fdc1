"""The dead-letter list: queue entries that no worker can take are logged, counted and stored for inspection."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import redis
from django.conf import settings

from core import redis_client

log = logging.getLogger(__name__)

# The newest entries are stored, each up to this size.
KEPT: Final = 1_000
KEPT_BYTES: Final = 65_536
# At most this many keys of a wrong type are stored; then the oldest is overwritten.
KEPT_KEYS: Final = 20
BROKEN: Final = (redis.RedisError, ValueError, KeyError, TypeError)

# Renames a key unless it is absent or has the expected type. It is one step, because between two steps another
# process could repair the key and put tasks into it.
SET_ASIDE = """
local present = redis.call('TYPE', KEYS[1]).ok
if present == 'none' or present == ARGV[1] then return false end
redis.call('RENAME', KEYS[1], KEYS[2])
return present
"""


@dataclass(frozen=True, slots=True)
class DeadEntry:
    """One entry that was set aside. `content` is its beginning; `digest` is the hash of all of it."""

    queue: str
    reason: str
    at: datetime
    size: int
    digest: str
    content: bytes


def put_aside(*, queue: str, entry: bytes, reason: str) -> None:
    """Store the entry, count it, and log its queue and hash. Never raises."""
    digest = hashlib.sha256(entry).hexdigest()[:12]
    log.error("an entry of the queue %s was put aside: %s (%s bytes, SHA-256 %s...)", queue, reason, len(entry), digest)
    dead = {
        "queue": queue,
        "reason": reason,
        "at": datetime.now(UTC).timestamp(),
        "size": len(entry),
        "digest": digest,
        "content": base64.b64encode(entry[:KEPT_BYTES]).decode(),
    }
    try:
        with redis_client.connect().pipeline() as pipe:
            pipe.lpush(_key(), json.dumps(dead))
            pipe.ltrim(_key(), 0, KEPT - 1)
            pipe.incr(_key("count"))
            pipe.execute()
    except redis.RedisError as error:
        log.error("the entry %s... could not be kept (%s): it is gone", digest, type(error).__name__)


def set_aside(*, types: Mapping[str, str]) -> None:
    """Rename each of these keys of kombu's that exists with another type than the one given here. Never raises.

    After: kombu can use the key again. The log has the new name of what was there.
    """
    try:
        client = redis_client.connect()
        with client.pipeline(transaction=False) as pipe:
            for key in types:
                pipe.type(broker_key(key))
            present: list[Any] = pipe.execute()
        for (key, expected), type_ in zip(types.items(), present, strict=True):
            if type_.decode() not in {expected, "none"}:
                _rename(client, key, expected)
    except redis.RedisError as error:
        log.warning("the keys of the broker could not be looked at (%s)", type(error).__name__)


def _rename(client: redis.Redis, key: str, expected: str) -> None:
    number: Any = client.incr(_key("keys"))
    aside = _key("key", number % KEPT_KEYS)
    wrong_type: Any = client.eval(SET_ASIDE, 2, broker_key(key), aside, expected)
    if wrong_type:
        reason = f"the whole key was a {wrong_type.decode()} instead of a {expected}; it is now called {aside}"
        put_aside(queue=key, entry=b"", reason=reason)


def newest(*, limit: int = KEPT) -> list[DeadEntry]:
    """The stored entries, newest first. On failure: redis.RedisError."""
    rows: Any = redis_client.connect().lrange(_key(), 0, limit - 1)
    return [entry for entry in map(_read, rows) if entry is not None]


def count() -> int:
    """How many entries are stored; 0 when Redis is away."""
    return _number(lambda client: client.llen(_key()))


def ever() -> int:
    """How many entries were ever set aside; 0 when Redis is away."""
    return _number(lambda client: client.get(_key("count")) or 0)


def forget() -> int:
    """Delete the stored entries and the renamed keys; return how many. On failure: redis.RedisError."""
    client = redis_client.connect()
    deleted = count()
    client.delete(_key(), *(_key("key", number) for number in range(KEPT_KEYS)))
    return deleted


def _number(ask: Any) -> int:
    try:
        return int(ask(redis_client.connect()))
    except BROKEN:
        return 0


def _read(row: bytes) -> DeadEntry | None:
    try:
        dead = json.loads(row)
        at = datetime.fromtimestamp(dead["at"], UTC)
        content = base64.b64decode(dead["content"])
        return DeadEntry(dead["queue"], dead["reason"], at, dead["size"], dead["digest"], content)
    except BROKEN:
        return None


def _key(*parts: object) -> str:
    return redis_client.key("dead-entries", *parts)


def broker_key(name: str) -> str:
    """The name in Redis of one of kombu's keys."""
    return str(settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]) + name
