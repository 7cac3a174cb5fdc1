"""What is configured about readers; newsroom/settings.py says the numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Window(NamedTuple):
    """At most `requests` in any period of `seconds`."""

    requests: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Throttles:
    """settings.THROTTLES: how often somebody may ask. Every window of a limit must have room."""

    signup_address: Sequence[Window]
    # Letters that their mailbox has not answered.
    signup_unanswered: Sequence[Window]
    signup_network: Sequence[Window]
    # A /48 of IPv6.
    signup_wide_network: Sequence[Window]
    signup_domain: Sequence[Window]
    signup_global: Sequence[Window]
    preferences_address: Sequence[Window]
    # Reasons for one leaving, of the reader whose link it is.
    leaving_reason: Sequence[Window]
