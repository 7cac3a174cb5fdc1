"""When a deferred copy is tried again."""

from __future__ import annotations

import random

from django.conf import settings


def steps() -> list[float]:
    """Seconds to wait after the first, second... attempt; the last one holds for all further ones."""
    return [float(minutes * 60) for minutes in settings.SENDING["RETRY_MINUTES"]]


def jitter() -> float:
    """A factor of 1 to 1.2, so that copies that were deferred together do not come back together."""
    return random.uniform(1.0, 1.2)  # noqa: S311  # spreads load, protects nothing
