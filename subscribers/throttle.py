"""How often may somebody ask? Sliding windows in Redis, all checked and counted in one round trip.

settings.THROTTLES has the windows of each limit. A log of times per key is exact where a token
bucket lets a full bucket and its refill through together; the largest log has as many entries as
the largest limit.
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
from subscribers import config, privacy

logger = logging.getLogger(__name__)

# A limit's name, whom it counts, and its windows.
Key = tuple[str, str, Sequence[config.Window]]

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
    limits = settings.THROTTLES
    keys = [
        ("signup_address", mailbox, limits.signup_address),
        ("signup_unanswered", mailbox, limits.signup_unanswered),
        *_networks(ip),
        ("signup_domain", address.domain, limits.signup_domain),
        ("signup_global", "", limits.signup_global),
    ]
    return _ask(keys, now)


def reminder(*, address: addresses.Address, now: datetime) -> bool:
    """Whether one more letter may ask this mailbox, whose owner has not answered the first.

    It counts as a sign-up at the mailbox, its provider and the whole site. False when Redis cannot be reached: a
    reminder is not owed to anybody.
    """
    limits = settings.THROTTLES
    keys = [
        ("signup_unanswered", addresses.throttle_key(address), limits.signup_unanswered),
        ("signup_domain", address.domain, limits.signup_domain),
        ("signup_global", "", limits.signup_global),
    ]
    return _ask(keys, now, otherwise=False)


def answered(*, address_key: str) -> None:
    """The mailbox's owner has confirmed: letters that were asked for before count no longer as unanswered."""
    address = addresses.Address(address=address_key, key=address_key, domain=address_key.rpartition("@")[2])
    try:
        redis_client.connect().delete(_name("signup_unanswered", addresses.throttle_key(address)))
    except redis.RedisError as error:
        logger.warning("A confirmation was not counted: Redis cannot be reached (%s).", type(error).__name__)


def preferences(*, address: addresses.Address, ip: str | None, now: datetime) -> bool:
    """Whether this request for a preferences link is within the limits of its mailbox and its networks."""
    mailbox = ("preferences_address", addresses.throttle_key(address), settings.THROTTLES.preferences_address)
    return _ask([mailbox, *_networks(ip)], now)


def leaving_reason(*, leaving: str, now: datetime) -> bool:
    """Whether no reason was given yet for this leaving, which the text names."""
    return _ask([("leaving_reason", leaving, settings.THROTTLES.leaving_reason)], now)


def _networks(ip: str | None) -> list[Key]:
    """Requests whose address cannot be known, as over a proxy's Unix socket, count as one wide network."""
    limits = settings.THROTTLES
    if not ip:
        return [("signup_wide_network", "", limits.signup_wide_network)]
    return [
        ("signup_network", privacy.network(ip), limits.signup_network),
        ("signup_wide_network", privacy.wide_network(ip), limits.signup_wide_network),
    ]


def _ask(keys: Sequence[Key], now: datetime, *, otherwise: bool = True) -> bool:
    try:
        ask = redis_client.connect().register_script(ASK)
        return not int(ask(keys=[_name(limit, subject) for limit, subject, _ in keys], args=_arguments(keys, now)))
    except redis.RedisError as error:
        logger.warning("Limits are not applied: Redis cannot be reached (%s).", type(error).__name__)
        return otherwise


def _name(limit: str, subject: str) -> str:
    """Redis learns keyed hashes only, neither addresses nor networks."""
    return redis_client.key("throttle", limit, addresses.keyed_hash(subject))


def _arguments(keys: Sequence[Key], now: datetime) -> list[str | int]:
    arguments: list[str | int] = [int(now.timestamp() * 1000), uuid.uuid4().hex]
    for _, _, windows in keys:
        arguments.append(len(windows))
        for count, seconds in windows:
            arguments += [count, seconds * 1000]
    return arguments
