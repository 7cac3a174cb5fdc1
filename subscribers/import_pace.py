"""How far an import is, how fast it goes, and how long it will take yet: for the terminal and the desk."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """`lines` of `total` records are done; `since` of them were done `seconds` ago."""

    lines: int
    total: int
    since: int
    seconds: float

    @property
    def percent(self) -> int:
        """Of all records, rounded down: 100 is the end."""
        return 100 * self.lines // self.total if self.total else 0

    @property
    def rate(self) -> int:
        """Records a second; 0 as long as nobody can tell."""
        return round((self.lines - self.since) / self.seconds) if self.seconds >= 1 else 0

    @property
    def seconds_left(self) -> float | None:
        """None as long as nobody can tell."""
        return (self.total - self.lines) / self.rate if self.rate > 0 else None
