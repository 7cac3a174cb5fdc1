"""When a deferred copy is tried again."""

from __future__ import annotations

import random
from datetime import timedelta

from django.conf import settings


def backoff(*, attempts: int, retry_after: int | None) -> timedelta:
    """How long to wait after the given number of attempts (1 or more).

    The server's own wish (`retry_after`, seconds) comes first. Jitter of up to a fifth keeps a
    thousand copies that were deferred together from coming back together.
    """
    steps = settings.SENDING["RETRY_MINUTES"]
    base = retry_after if retry_after is not None else steps[min(attempts, len(steps)) - 1] * 60
    return timedelta(seconds=base * random.uniform(1.0, 1.2))  # noqa: S311  # spreads load, protects nothing
