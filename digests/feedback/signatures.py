"""How old a provider's signature may be: whoever saw one request could otherwise repeat it for ever.

Providers that sign the time along are Mailgun, SendGrid and Resend; the others sign the body alone, and
the same event is stored once however often it comes (`events`).
"""

import math
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.http import HttpRequest

from postal import providers

# Before and after: clocks differ, and a request may have waited on its way.
GOOD_FOR: Final = timedelta(minutes=15)


class OutOfTime(Exception):
    """The signature was made too long ago, or in the future, or does not say when."""


def check_time(*, provider: str, request: HttpRequest, now: datetime) -> None:
    """Look at the time in a request whose signature was found genuine. On failure: OutOfTime."""
    reports = providers.REPORTING[provider]
    # Without the provider's key there is no signature to speak of: the shared secret is the proof.
    if reports.signed_at is None or not any(map(settings.ANYMAIL.get, reports.signed_by)):
        return
    moment = _moment(reports.signed_at(request))
    if moment is None or abs(now - moment) > GOOD_FOR:
        raise OutOfTime("The signature's time is not within 15 minutes of now.")


def _moment(seconds: object) -> datetime | None:
    """Seconds since 1970, as a number or its digits; None for anything else."""
    try:
        number = float(seconds)  # type: ignore[arg-type]  # whatever a stranger wrote; the errors are what is asked for
        return datetime.fromtimestamp(number, tz=UTC) if math.isfinite(number) else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
