"""What is configured about readers; newsroom/reader_settings.py says the numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from limits import RateLimitItem


@dataclass(frozen=True, slots=True)
class Throttles:
    """settings.THROTTLES: how often somebody may ask. Every moving window of a limit must have room."""

    signup_address: Sequence[RateLimitItem]
    # Letters that their mailbox has not answered.
    signup_unanswered: Sequence[RateLimitItem]
    signup_network: Sequence[RateLimitItem]
    # A /48 of IPv6.
    signup_wide_network: Sequence[RateLimitItem]
    signup_domain: Sequence[RateLimitItem]
    signup_overall: Sequence[RateLimitItem]
    # Who waits instead of computing, of a wide network and in all.
    waiting_network: Sequence[RateLimitItem]
    waiting_overall: Sequence[RateLimitItem]
    preferences_address: Sequence[RateLimitItem]
    # Reasons for one leaving, of the reader whose link it is.
    leaving_reason: Sequence[RateLimitItem]


@dataclass(frozen=True, slots=True)
class Breaker:
    """settings.SIGNUP_BREAKER: when a sign-up has to compute or to wait, and how much.

    It does when fewer than `percent` of at least `letters` confirmation letters of the last `hours` were confirmed.
    A browser tries half of `work` numbers on average; who runs no scripts waits `wait_seconds`.
    """

    percent: int
    letters: int
    hours: int
    work: int
    wait_seconds: int
