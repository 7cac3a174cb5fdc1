"""What is configured about mail: one frozen record per group of settings.

newsroom/settings.py builds them from the environment; docs/configuration.md lists the variables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from typing import Literal, NamedTuple

Tls = Literal["none", "starttls", "implicit"]


@dataclass(frozen=True, slots=True)
class MailServer:
    """One of settings.RELAYS. `weight` is its share of the copies, `rate` its copies per second (0: no limit)."""

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    tls: Tls = "none"
    weight: int = 1
    rate: int = 0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long an SMTP session waits for the server: to connect, for a command, for the reply to a message."""

    connect_seconds: float
    command_seconds: float
    final_seconds: float

    @property
    def total_seconds(self) -> float:
        """How long a session may take for one message."""
        return self.connect_seconds + self.command_seconds + self.final_seconds


@dataclass(frozen=True, slots=True)
class Sending:
    """settings.SENDING: the numbers of the sending engine."""

    copies_in_flight: int
    lanes: int
    lease_seconds: int
    lane_seconds: float
    connections: int
    messages_per_connection: int
    breaker_consecutive: int
    breaker_share: float
    max_age_hours: int
    # How much later than at its reader's hour a copy may leave.
    late_hours: int
    retry_minutes: Sequence[float]
    timeouts: Timeouts


class Rate(NamedTuple):
    """At most `copies` in any period of `seconds`."""

    copies: int
    seconds: int


class WarmUp(NamedTuple):
    """The plan for a new sender's domain. `growth` is the factor from one day to the next."""

    first_day: date
    copies: int
    growth: float


@dataclass(frozen=True, slots=True)
class Pacing:
    """settings.PACING: limits over all workers of all hosts; 0 and empty: none.

    `domains` and `warm_up` are by mail domain, of readers and of senders; `*` is any other one. `hours` are those
    between which copies leave. `processes` share a limit while Redis is away, or as many as were seen.
    """

    processes: int
    per_second: int = 0
    per_hour: int = 0
    domains: Mapping[str, Sequence[Rate]] = field(default_factory=dict)
    warm_up: Mapping[str, WarmUp] = field(default_factory=dict)
    hours: tuple[time, time] | None = None


@dataclass(frozen=True, slots=True)
class Mailbox:
    """settings.RETURNS: the IMAP mailbox to which bounces and complaints come back."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    tls: Tls = "none"
    folder: str = "INBOX"


@dataclass(frozen=True, slots=True)
class SoftBounces:
    """settings.SOFT_BOUNCES: after how many soft bounces in a row, over at least how many days, mailing stops."""

    copies: int
    days: int
