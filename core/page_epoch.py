"""The epoch of the public pages as Redis has it: one key, which is there only while its number may be believed.

Who is about to commit a change takes the key away and leaves a mark; who has committed puts the number back, once
nobody else has a mark. A key that is missing, for this or any other reason, sends its reader to the database.

The number is a lease: who reads it may believe it for LEASE_SECONDS without asking again. Who takes it away waits until
every lease has ended, and commits then. See decision 0175.
"""

import logging
import threading
from typing import Final

import redis

from core import redis_client

log = logging.getLogger(__name__)

# The mark of a process that was killed goes away by itself. A transaction that lasts longer renews its mark.
MARK_SECONDS: Final = 300
RENEW_SECONDS: Final = 60
# How long a number that was read may be believed. It costs each change of public pages the wait below.
LEASE_SECONDS: Final = 0.002
# Twice as long, should the clocks of two machines differ in speed.
SECONDS_TO_WAIT: Final = 2 * LEASE_SECONDS
# Waited for instead of sleeping: who takes a process's clock away, as tests do, must not hold up a commit.
_NEVER: Final = threading.Event()

_MARK: Final = """
local now = redis.call('TIME')[1]
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[2])
redis.call('DEL', KEYS[1])
"""
# An older number may come late, after a newer one.
_PUT: Final = """
local was_marked = redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', redis.call('TIME')[1])
if redis.call('ZCARD', KEYS[2]) == 0 then
    local known = redis.call('GET', KEYS[1])
    if not known or tonumber(known) < tonumber(ARGV[2]) then
        redis.call('SET', KEYS[1], ARGV[2])
    end
end
return was_marked
"""


def key() -> str:
    """Where the number is."""
    return redis_client.key("page-epoch")


def mark(token: str) -> bool:
    """Before a commit: take the number away until `put` is called with this token, and wait until nobody believes it.

    False: Redis is away.
    """
    if _run(_MARK, token, str(MARK_SECONDS)) is None:
        return False
    _NEVER.wait(SECONDS_TO_WAIT)
    return True


def put(epoch: int, *, token: str = "") -> bool:
    """After it, or when the number is missing: put it back, unless somebody else has a mark. False: Redis is away."""
    was_marked = _run(_PUT, token, str(epoch))
    if token and was_marked == 0:
        # Redis was emptied meanwhile: somebody may have put the old number back, and others have believed it.
        _NEVER.wait(SECONDS_TO_WAIT)
    return was_marked is not None


def shown() -> int | None:
    """The number in Redis; None if there is none. On failure: redis.RedisError."""
    number = redis_client.connect().get(key())
    return int(number) if isinstance(number, bytes) else None


def _run(script: str, *arguments: str) -> int | None:
    """The script's reply, 0 if it has none; None if Redis is away."""
    try:
        reply = redis_client.connect().eval(script, 2, key(), f"{key()}-marks", *arguments)
    except redis.RedisError:
        log.warning("Redis is away: pages ask the database whether they are still as it is")
        return None
    return int(reply or 0)
