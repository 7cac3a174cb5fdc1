"""Reads what is configured about sign-ups: settings.THROTTLES and SIGNUP_BREAKER.

Each mistake stops the program with a sentence.
"""

from limits import RateLimitItemPerHour, parse_many

from newsroom import env
from subscribers.config import Breaker, Throttles


def throttles() -> Throttles:
    """Every limit, as the environment says or its default."""
    return Throttles(
        signup_address=env.rates("SIGNUP_LIMIT_ADDRESS", "1 per 10 minutes; 3 per day"),
        # A week, after which the unanswered request is forgotten too.
        signup_unanswered=env.rates("SIGNUP_LIMIT_UNANSWERED", "5 per 7 days"),
        signup_network=env.rates("SIGNUP_LIMIT_NETWORK", "20 per hour"),
        # So that a customer with 65,536 networks has no more than five of them.
        signup_wide_network=env.rates("SIGNUP_LIMIT_WIDE_NETWORK", "100 per hour"),
        signup_domain=env.rates("SIGNUP_LIMIT_DOMAIN", "500 per hour"),
        signup_overall=env.rates("SIGNUP_LIMIT_OVERALL", "5000 per hour"),
        waiting_network=env.rates("SIGNUP_LIMIT_WAITING", "5 per hour"),
        waiting_overall=env.rates("SIGNUP_LIMIT_WAITING_OVERALL", "300 per hour"),
        preferences_address=parse_many("1 per 10 minutes; 5 per day"),
        # As long as the link to give one works (subscribers.links.AGAIN_AGE).
        leaving_reason=[RateLimitItemPerHour(1)],
    )


def breaker() -> Breaker:
    """The circuit breaker of sign-ups, as the environment says or its default."""
    return Breaker(
        percent=env.number("SIGNUP_BREAKER_PERCENT", 10, most=100),
        letters=env.number("SIGNUP_BREAKER_LETTERS", 100, least=1),
        hours=env.number("SIGNUP_BREAKER_HOURS", 3, least=1, most=168),
        work=env.number("SIGNUP_WORK", 200_000, least=1_000, most=100_000_000),
        wait_seconds=env.number("SIGNUP_WAIT_SECONDS", 30, least=1, most=600),
    )
