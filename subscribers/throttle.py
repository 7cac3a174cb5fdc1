"""How often may somebody ask? Sliding windows in Redis, all checked and counted in one round trip.

Settings: THROTTLES = {"name": [(how many, in how many seconds), ...]}. A log of
times per key is exact where a token bucket lets a full bucket and its refill
through together; the largest log has as many entries as the largest limit.
Without Redis nobody is turned away: sign-ups matter more than limits.
"""

import logging
import uuid
from collections.abc import Sequence
from datetime import datetime

import redis
from django.conf import settings

from core import redis_client
from mailkit import addresses
from subscribers import privacy

logger = logging.getLogger(__name__)

# KEYS: one log per limit name. ARGV: now in ms, a unique member, then per key: how
# many windows, and for each its count and its length in ms. Returns 0 when every
# window has room (and counts this request in all of them), else the first full key's place.
ASK = """
local now, member, at = tonumber(ARGV[1]), ARGV[2], 3
local longest = {}
for place, key in ipairs(KEYS) do
  longest[place] = 0
  for _ = 1, tonumber(ARGV[at]) do
    local count, length = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    longest[place] = math.max(longest[place], length)
    if redis.call('ZCOUNT', key, '(' .. (now - length), '+inf') >= count then return place end
    at = at + 2
  end
  at = at + 1
end
for place, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - longest[place])
  redis.call('ZADD', key, now, member)
  redis.call('PEXPIRE', key, longest[place])
end
return 0
"""


def signup(*, address: addresses.Address, ip: str | None, now: datetime) -> bool:
    """Whether this sign-up is within the limits of its mailbox, its networks, its mail provider and the whole site.

    The mailbox's `signup_unanswered` ends with `answered`, the others with time only. A request
    over any limit is counted nowhere. True when Redis cannot be reached.
    """
    mailbox = addresses.throttle_key(address)
    keys = [("signup_address", mailbox), ("signup_unanswered", mailbox), *_networks(ip)]
    keys += [("signup_domain", address.domain), ("signup_global", "")]
    return _ask(keys, now)


def answered(*, address_key: str) -> None:
    """The mailbox's owner has confirmed: letters that were asked for before count no longer as unanswered."""
    address = addresses.Address(address=address_key, key=address_key, domain=address_key.rpartition("@")[2])
    try:
        redis_client.connect().delete(*_names([("signup_unanswered", addresses.throttle_key(address))]))
    except redis.RedisError as error:
        logger.warning("A confirmation was not counted: Redis cannot be reached (%s).", type(error).__name__)


def preferences(*, address: addresses.Address, ip: str | None, now: datetime) -> bool:
    """Whether this request for a preferences link is within the limits of its mailbox and its networks."""
    return _ask([("preferences_address", addresses.throttle_key(address)), *_networks(ip)], now)


def _networks(ip: str | None) -> list[tuple[str, str]]:
    """Requests whose address cannot be known, as over a proxy's Unix socket, count as one wide network."""
    if not ip:
        return [("signup_wide_network", "")]
    return [("signup_network", privacy.network(ip)), ("signup_wide_network", privacy.wide_network(ip))]


def _ask(keys: Sequence[tuple[str, str]], now: datetime) -> bool:
    try:
        ask = redis_client.connect().register_script(ASK)
        return not int(ask(keys=_names(keys), args=_arguments(keys, now)))
    except redis.RedisError as error:
        logger.warning("Limits are not applied: Redis cannot be reached (%s).", type(error).__name__)
        return True


def _names(keys: Sequence[tuple[str, str]]) -> list[str]:
    """Redis learns keyed hashes only, neither addresses nor networks."""
    return [redis_client.key("throttle", name, addresses.keyed_hash(subject)) for name, subject in keys]


def _arguments(keys: Sequence[tuple[str, str]], now: datetime) -> list[str | int]:
    arguments: list[str | int] = [int(now.timestamp() * 1000), uuid.uuid4().hex]
    for name, _ in keys:
        windows = settings.THROTTLES[name]
        arguments.append(len(windows))
        for count, seconds in windows:
            arguments += [count, seconds * 1000]
    return arguments
