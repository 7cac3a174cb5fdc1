"""What pacing costs: a batch's grants, and what is left of the rate with a mail server that is moody.

The same server first takes everything, then each mood has an issue of its own; a ratio is to what it took
undisturbed, in the same run. SECONDS, CONNECTIONS and LANES set the rest.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import statistics
import time
from datetime import timedelta

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from benchmarks import _figures, _house, _slow_sink, _watch  # isort: skip  # Django is set up here
from django.db.models import Count, Max, Min
from django.utils import timezone

from digests.models import Issue
from digests.sending import tasks
from newsroom.celery import app
from postal import limiter

ASKS = 2_000
SECONDS = int(os.environ.get("SECONDS", "10"))
READERS = int(os.environ.get("READERS", "40000"))
CONNECTIONS = os.environ.get("CONNECTIONS", "4")
LANES = os.environ.get("LANES", "2")
Mood = _slow_sink.Mood
MOODS = {
    "3 % of 421": Mood(busy=0.03),
    "10 % of 421": Mood(busy=0.1),
    "closed after 20": Mood(most=20),
    "421 after 20": Mood(most=20, polite=True),
}

say = functools.partial(_figures.say, "pacing")


def main() -> None:
    """The grants, then the moods, of a server that is near and of one that is 50 ms away."""
    grants()
    for distance, delay in {"near": 0.0, "50 ms away": _slow_sink.DELAY_SECONDS}.items():
        moods(distance, delay)


def grants() -> None:
    """Milliseconds and CPU of one ask, with every kind of limit at once."""
    shared = limiter.Limits(prefix=f"bench{os.getpid()}:")
    rules = [limiter.Rule("all", 10**6, 1), limiter.Rule("all", 10**9, 3600), limiter.Rule("relay:mx:25", 10**6, 1)]
    spent, before = [], time.process_time()
    for _ in range(ASKS):
        began = time.perf_counter()
        grant = shared.ask(rules=rules, slow=["relay:mx:25"], wanted=50)
        spent.append((time.perf_counter() - began) * 1000)
    busy = (time.process_time() - before) * 1000 / ASKS
    if grant.at is None:
        raise SystemExit("Redis is away: nothing was measured.")
    say("a batch's grants, median", statistics.median(spent), "ms", allowed=1.0)
    say("a batch's grants, 99th percentile", statistics.quantiles(spent, n=100)[98], "ms")
    say("a batch's grants, CPU", busy, "ms")


def moods(distance: str, delay: float) -> None:
    """The rate undisturbed, and what each mood leaves of it."""
    undisturbed = rate(Mood(delay=delay))
    say(f"undisturbed, {distance}", undisturbed, "copies/s", connections=int(CONNECTIONS) * int(LANES))
    for name, mood in MOODS.items():
        disturbed = rate(dataclasses.replace(mood, delay=delay))
        say(f"{name}, {distance}", disturbed / undisturbed, "1", rate=round(disturbed))


def rate(mood: Mood) -> float:
    """Copies a second that were taken within SECONDS after the first was tried, or until all were."""
    issue = _house.approved(_house.furnish(readers=READERS))
    with _slow_sink.running(mood) as port:
        environment = {"EMAIL_URL": f"smtp://127.0.0.1:{port}", "CONNECTIONS": CONNECTIONS, "LANES": LANES}
        with _watch.worker(environment, LANES):
            tasks.wake_issue.delay(issue.pk)
            began = None
            while began is None or (timezone.now() - began).total_seconds() < SECONDS:
                time.sleep(0.25)
                began = issue.deliveries.aggregate(first=Min("attempted_at"))["first"]
                if issue.deliveries.filter(state="accepted").count() == READERS:
                    break
            taken = issue.deliveries.filter(state="accepted", settled_at__lt=began + timedelta(seconds=SECONDS))
            totals = taken.aggregate(count=Count("pk"), last=Max("settled_at"))
            # What is left is not waited for.
            app.control.purge()
            Issue.objects.filter(pk=issue.pk).update(state=Issue.State.CANCELLED)
    return float(totals["count"] / (totals["last"] - began).total_seconds())


if __name__ == "__main__":
    main()
