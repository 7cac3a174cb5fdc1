"""How often may somebody ask? Moving windows of the library `limits`, in Redis; settings.THROTTLES has them.

Limits of a mailbox and of a mail provider are silent: who is over one gets the answer that everybody gets, or the
answer would tell who asked before. Those of a network and of the whole site say so: they know nothing of any address.
So that they cannot tell either, a request counts in them before its address is looked at.
Without Redis nobody is turned away: sign-ups matter more than limits.
"""

import functools
import logging
import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import redis
from django.conf import settings
from django.utils.translation import ngettext
from limits import RateLimitItem, storage, strategies

from core import redis_client
from mailkit import addresses
from subscribers import privacy

logger = logging.getLogger(__name__)


class Crowded(Exception):
    """A network or the whole site has asked as often as it may. str() says to a reader when to come back."""

    def __init__(self, *, seconds: float, is_everybody: bool) -> None:
        self.seconds = max(1, math.ceil(seconds))
        minutes = math.ceil(self.seconds / 60)
        if is_everybody:
            sentence = ngettext(
                "Very many people are asking for newsletters at the moment. Nothing was sent. "
                "Please send this again in %(minutes)d minute.",
                "Very many people are asking for newsletters at the moment. Nothing was sent. "
                "Please send this again in %(minutes)d minutes.",
                minutes,
            )
        else:
            sentence = ngettext(
                "Too many requests have come from your network. Nothing was sent. "
                "Please send this again in %(minutes)d minute.",
                "Too many requests have come from your network. Nothing was sent. "
                "Please send this again in %(minutes)d minutes.",
                minutes,
            )
        super().__init__(sentence % {"minutes": minutes})


class _Counted(NamedTuple):
    """One window of a limit, and whom it counts."""

    limit: str
    subject: str
    window: RateLimitItem


def signup(*, address: addresses.Address, ip: str | None) -> bool:
    """Whether this sign-up is within the limits of its mailbox and its mail provider; True when Redis is away.

    The mailbox's `signup_unanswered` ends with `answered`, the others with time only.
    On failure: Crowded, for the limits of its networks and of the whole site; nothing of the mailbox is used up.
    """
    limits, mailbox = settings.THROTTLES, addresses.throttle_key(address)
    _admit([*_networks(ip), *_counted("signup_overall", "", limits.signup_overall)])
    # A request counts up to the first limit that is full, so what blocks a mailbox for longest comes last.
    silent = [
        *_counted("signup_domain", address.domain, limits.signup_domain),
        *_counted("signup_address", mailbox, limits.signup_address),
        *_counted("signup_unanswered", mailbox, limits.signup_unanswered),
    ]
    return _is_within(silent)


def preferences(*, address: addresses.Address, ip: str | None) -> bool:
    """Whether this request for a preferences link is within the limits of its mailbox. On failure: as `signup`."""
    _admit(_networks(ip))
    mailbox = _counted("preferences_address", addresses.throttle_key(address), settings.THROTTLES.preferences_address)
    return _is_within(mailbox)


def waiting(*, ip: str | None) -> None:
    """Count a sign-up that waited instead of computing. On failure: Crowded.

    A program with many networks can wait in all of them at once, so there is a limit of all together.
    """
    limits, network = settings.THROTTLES, privacy.wide_network(ip) if ip else ""
    _admit([
        *_counted("waiting_network", network, limits.waiting_network),
        *_counted("waiting_overall", "", limits.waiting_overall),
    ])  # fmt: skip


def leaving_reason(*, leaving: str) -> bool:
    """Whether no reason was given yet for this leaving, which the text names."""
    return _is_within(_counted("leaving_reason", leaving, settings.THROTTLES.leaving_reason))


def reminder(*, address: addresses.Address) -> bool:
    """Whether one more letter may ask this mailbox, whose owner has not answered the first.

    It counts as a sign-up at the mailbox, its provider and the whole site. False when Redis cannot be reached: a
    reminder is not owed to anybody.
    """
    limits = settings.THROTTLES
    windows = [
        *_counted("signup_overall", "", limits.signup_overall),
        *_counted("signup_domain", address.domain, limits.signup_domain),
        *_counted("signup_unanswered", addresses.throttle_key(address), limits.signup_unanswered),
    ]
    return _is_within(windows, otherwise=False)


def answered(*, address_key: str) -> None:
    """The mailbox's owner has confirmed: letters that were asked for before count no longer as unanswered."""
    address = addresses.Address(address=address_key, key=address_key, domain=address_key.rpartition("@")[2])
    mailbox, windows = addresses.throttle_key(address), settings.THROTTLES.signup_unanswered
    try:
        for counted in _counted("signup_unanswered", mailbox, windows):
            _limiter().clear(counted.window, counted.limit, counted.subject)
    except redis.RedisError as error:
        logger.warning("A confirmation was not counted: Redis cannot be reached (%s).", type(error).__name__)


def _networks(ip: str | None) -> list[_Counted]:
    """Requests whose address cannot be known, as over a proxy's Unix socket, count as one wide network."""
    limits = settings.THROTTLES
    narrow = _counted("signup_network", privacy.network(ip), limits.signup_network) if ip else []
    return [
        *narrow,
        *_counted("signup_wide_network", privacy.wide_network(ip) if ip else "", limits.signup_wide_network),
    ]


def _counted(limit: str, subject: str, windows: Sequence[RateLimitItem]) -> list[_Counted]:
    """Redis learns keyed hashes only, neither addresses nor networks."""
    return [_Counted(limit, addresses.keyed_hash(subject), window) for window in windows]


def _admit(counted: Sequence[_Counted]) -> None:
    """Count one request, or say when there will be room for it. On failure: Crowded."""
    try:
        if full := _take(counted):
            free_at = _limiter().get_window_stats(full.window, full.limit, full.subject).reset_time
            raise Crowded(seconds=free_at - time.time(), is_everybody=full.limit.endswith("_overall"))
    except redis.RedisError as error:
        _warn(error)


def _is_within(counted: Sequence[_Counted], *, otherwise: bool = True) -> bool:
    try:
        return _take(counted) is None
    except redis.RedisError as error:
        _warn(error)
        return otherwise


def _take(counted: Sequence[_Counted]) -> _Counted | None:
    """Count one request in window after window, up to the first that has no room: that one."""
    limiter = _limiter()
    return next((one for one in counted if not limiter.hit(one.window, one.limit, one.subject)), None)


def _warn(error: redis.RedisError) -> None:
    logger.warning("Limits are not applied: Redis cannot be reached (%s).", type(error).__name__)


def _limiter() -> strategies.MovingWindowRateLimiter:
    return _limiter_over(redis_client.connect(), redis_client.key("throttle"))


@functools.lru_cache(maxsize=4)
def _limiter_over(client: redis.Redis, prefix: str) -> strategies.MovingWindowRateLimiter:
    connected = storage.RedisStorage(settings.REDIS_URL, connection_pool=client.connection_pool, key_prefix=prefix)
    return strategies.MovingWindowRateLimiter(connected)
