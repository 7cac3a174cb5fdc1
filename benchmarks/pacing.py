"""What a permit costs a batch: milliseconds and CPU of one ask, with every kind of limit at once."""

from __future__ import annotations

import functools
import os
import statistics
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
django.setup()

from benchmarks import _figures  # noqa: E402  # once Django is set up
from digests.sending.pacing import limits  # noqa: E402  # as above

ASKS = 2_000

say = functools.partial(_figures.say, "pacing")


def main() -> None:
    """Ask many times; then the figures."""
    shared = limits.Limits(prefix=f"bench{os.getpid()}:")
    rules = [limits.Rule("all", 10**6, 1), limits.Rule("all", 10**9, 3600), limits.Rule("relay:mx:25", 10**6, 1)]
    spent, before = [], time.process_time()
    for _ in range(ASKS):
        began = time.perf_counter()
        permit = shared.ask(rules=rules, slow=["relay:mx:25"], wanted=50)
        spent.append((time.perf_counter() - began) * 1000)
    busy = (time.process_time() - before) * 1000 / ASKS
    if permit.at is None:
        raise SystemExit("Redis is away: nothing was measured.")
    say("a batch's permits, median", statistics.median(spent), "ms", allowed=1.0)
    say("a batch's permits, 99th percentile", statistics.quantiles(spent, n=100)[98], "ms")
    say("a batch's permits, CPU", busy, "ms")


if __name__ == "__main__":
    main()
