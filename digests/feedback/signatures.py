"""Replay protection: the maximum age of a provider's webhook signature.

Mailgun, SendGrid and Resend sign the time as well. The others sign the body alone; their replays are harmless,
because the same event is stored once (`events`).
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.http import HttpRequest

from postal import providers

# In both directions: clocks differ, and a request may be delayed.
GOOD_FOR: Final = timedelta(minutes=15)


class OutOfTime(Exception):
    """The signature is too old, in the future, or has no time."""


def check_time(*, provider: str, request: HttpRequest, now: datetime) -> None:
    """Check the time of a request whose signature is genuine. On failure: OutOfTime."""
    reports = providers.REPORTING[provider]
    # Without the provider's key there is no signature; the shared secret authenticates the request.
    if reports.signed_at is None or not any(map(settings.ANYMAIL.get, reports.signed_by)):
        return
    moment = _moment(reports.signed_at(request))
    if moment is None or abs(now - moment) > GOOD_FOR:
        raise OutOfTime("The signature's time is not within 15 minutes of now.")


def _moment(seconds: object) -> datetime | None:
    """Seconds since 1970, as a number or its digits; None for anything else."""
    try:
        number = float(seconds)  # type: ignore[arg-type]  # untrusted; the errors below are the test
        return datetime.fromtimestamp(number, tz=UTC) if math.isfinite(number) else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
