"""A relay, provider or mail domain that refused copies as too many is sent fewer, then more with every second."""

from __future__ import annotations

import dataclasses
from typing import Final

# A throttle is over after this long without a refusal.
RECOVERY_SECONDS: Final = 10.0
# Lanes that hear the same refusal within this time lower the rate once.
ONE_REFUSAL_SECONDS: Final = 1.0
# Copies per second to a server that refuses everything.
LOWEST_RATE: Final = 0.5


@dataclasses.dataclass(frozen=True, slots=True)
class Throttle:
    """Copies per second that a subject takes: `rate` at `since`, evenly more, and without a limit from `ceiling` on.

    Nothing leaves before `until`, and nothing grows before it. Times are in seconds since 1970.
    """

    rate: float
    ceiling: float
    since: float
    until: float

    def rate_at(self, now: float) -> float:
        """Copies per second: each second adds a tenth of the ceiling."""
        quiet = max(0.0, now - max(self.since, self.until))
        return min(self.ceiling, self.rate + self.ceiling * quiet / RECOVERY_SECONDS)

    def is_over(self, now: float) -> bool:
        """Whether the subject takes as many copies as before. Also true if the clock was set back."""
        is_of_the_future = self.since > now + RECOVERY_SECONDS
        return is_of_the_future or (now >= self.until and self.rate_at(now) >= self.ceiling)

    def refused(self, *, share: float, base: float, hold: float, now: float) -> Throttle:
        """What follows when `share` of the copies were refused, and none are wanted for `hold` seconds.

        The rate falls by that share, by half at most. Where most were refused the ceiling was too high as well;
        otherwise it rises to `base`, so that a throttle that began at a low rate does not keep to it.
        """
        until = max(self.until, now + hold)
        if now - self.since < ONE_REFUSAL_SECONDS:
            return dataclasses.replace(self, until=until)
        rate = max(LOWEST_RATE, self.rate_at(now) * max(0.5, 1 - share))
        ceiling = max(self.ceiling, base) if share <= 0.5 else max(1.0, min(self.ceiling, 2 * rate))
        return Throttle(rate=rate, ceiling=ceiling, since=now, until=until)


def first_refusal(*, share: float, base: float, hold: float, now: float) -> Throttle:
    """The throttle of a subject that took `base` copies a second until now; otherwise as `Throttle.refused`."""
    unlimited = Throttle(rate=max(1.0, base), ceiling=max(1.0, base), since=0.0, until=now)
    return unlimited.refused(share=share, base=base, hold=hold, now=now)
