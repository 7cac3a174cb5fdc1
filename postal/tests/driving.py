"""A transport driven as a lane drives it, for tests that want nothing but the outcomes."""

from collections.abc import Iterator, Sequence

from postal.transports.base import Copy, Outcome, Transport


def outcomes_of(transport: Transport, copies: Sequence[Copy]) -> Iterator[Outcome]:
    """The outcome of each copy, as it becomes known."""
    transport.submit(copies)
    missing = len(copies)
    while missing:
        for outcome in transport.results(1.0):
            missing -= 1
            yield outcome
    assert transport.results(0) == [], "an outcome too many"
