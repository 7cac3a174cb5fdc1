"""What is wrong and expensive to find out: the clock looks every five minutes, the first page shows what it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core import soft_cache
from digests.preflight import history
from subscribers import consent_heads, verification

KEY: Final = "desk:standing"
# Long enough for a clock that is late; what is older is not shown, and the page says itself that the clock is away.
REMEMBERED: Final = 3_600


@dataclass(frozen=True, slots=True)
class Standing:
    """Sentences: of the record of consent, and of newsletters by number with too many complaints or bounces."""

    record: tuple[str, ...] = ()
    rates: tuple[tuple[int, str, str], ...] = ()


def refresh() -> Standing:
    """Look, and remember it."""
    heads = consent_heads.lost()
    record = ([heads] if heads else []) + [one for one in verification.standing_faults() if one != heads]
    standing = Standing(tuple(record), tuple(history.over_the_limit()))
    soft_cache.write(KEY, standing, seconds=REMEMBERED)
    return standing


def current() -> Standing:
    """What the clock found last; nothing while that is not known."""
    remembered: Standing | None = soft_cache.read(KEY)
    return remembered or Standing()
