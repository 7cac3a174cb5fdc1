"""When a deferred copy is tried again."""

from __future__ import annotations

import random
from typing import Final

from django.conf import settings

# Seconds to wait, after the first, second... time in a row, when a copy was put off for what is not its own:
# our pace, or a session that was lost under it.
SOON: Final = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]
# When a copy that found no server may be tried again. How many are tried at all is limited before they are claimed.
AWAY_SECONDS: Final = 4.0


def steps() -> list[float]:
    """Seconds to wait after the first, second... attempt; the last one holds for all further ones."""
    return [float(minutes * 60) for minutes in settings.SENDING.retry_minutes]


def jitter() -> float:
    """A factor of 1 to 1.2, so that copies that were deferred together do not come back together."""
    return random.uniform(1.0, 1.2)  # noqa: S311  # spreads load, protects nothing
