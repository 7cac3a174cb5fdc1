"""Times as machines read them."""

from datetime import datetime


def machine_readable(moment: datetime | None) -> str:
    """ISO 8601 with the offset, to the second: some programs read no fractions. Empty for no time at all."""
    return moment.isoformat(timespec="seconds") if moment else ""


def whole_seconds(moment: datetime | None) -> datetime | None:
    """The moment without its fraction, for whoever else writes it."""
    return moment.replace(microsecond=0) if moment else None
