"""What a permit costs a batch: milliseconds and CPU of one ask, with every kind of limit at once."""

from __future__ import annotations

import json
import os
import statistics
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")
django.setup()

from digests.sending.pacing import limits  # noqa: E402  # once Django is set up

ASKS = 2_000


def main() -> None:
    """Print one JSON line: the median and the 99th percentile, with what is allowed."""
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
    figure = {
        "figure": "milliseconds to ask for the permits of a batch",
        "median": round(statistics.median(spent), 3),
        "p99": round(statistics.quantiles(spent, n=100)[98], 3),
        "cpu": round(busy, 3),
        "allowed": 1.0,
    }
    print(json.dumps(figure))


if __name__ == "__main__":
    main()
