"""The cost of rate limiting: the time of one grant, and the rate that is left when a mail server refuses some mail.

The server first accepts everything, then misbehaves in one way per issue. Each ratio compares with the undisturbed
rate of the same run. SECONDS, CONNECTIONS and LANES set the rest.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import statistics
import time
from datetime import timedelta

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

from benchmarks import _figures, _audience, _slow_smtp_server, _measuring  # isort: skip  # Django is set up here
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
Behaviour = _slow_smtp_server.Behaviour
BEHAVIOURS = {
    "3 % of 421": Behaviour(busy=0.03),
    "10 % of 421": Behaviour(busy=0.1),
    "closed after 20": Behaviour(most=20),
    "421 after 20": Behaviour(most=20, polite=True),
}

say = functools.partial(_figures.say, "pacing")


def main() -> None:
    """Measure the grants, then each behaviour of a nearby server and of one that is 50 ms away."""
    grants()
    for distance, delay in {"near": 0.0, "50 ms away": _slow_smtp_server.DELAY_SECONDS}.items():
        disturbances(distance, delay)


def grants() -> None:
    """Measure the milliseconds and the CPU of one call to the limiter, with every kind of limit at once."""
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


def disturbances(distance: str, delay: float) -> None:
    """Measure the undisturbed rate, and the share of it that each behaviour leaves."""
    undisturbed = rate(Behaviour(delay=delay))
    say(f"undisturbed, {distance}", undisturbed, "copies/s", connections=int(CONNECTIONS) * int(LANES))
    for name, behaviour in BEHAVIOURS.items():
        disturbed = rate(dataclasses.replace(behaviour, delay=delay))
        say(f"{name}, {distance}", disturbed / undisturbed, "1", rate=round(disturbed))


def rate(behaviour: Behaviour) -> float:
    """Copies a second that were accepted within SECONDS of the first attempt, or until all were."""
    issue = _audience.approved_issue(_audience.create(readers=READERS))
    with _slow_smtp_server.running(behaviour) as port:
        environment = {"EMAIL_URL": f"smtp://127.0.0.1:{port}", "CONNECTIONS": CONNECTIONS, "LANES": LANES}
        with _measuring.worker(environment, LANES):
            tasks.wake_issue.delay(issue.pk)
            began = None
            while began is None or (timezone.now() - began).total_seconds() < SECONDS:
                time.sleep(0.25)
                began = issue.deliveries.aggregate(first=Min("attempted_at"))["first"]
                if issue.deliveries.filter(state="accepted").count() == READERS:
                    break
            taken = issue.deliveries.filter(state="accepted", settled_at__lt=began + timedelta(seconds=SECONDS))
            totals = taken.aggregate(count=Count("pk"), last=Max("settled_at"))
            # The remaining copies are not part of the figure.
            app.control.purge()
            Issue.objects.filter(pk=issue.pk).update(state=Issue.State.CANCELLED)
    return float(totals["count"] / (totals["last"] - began).total_seconds())


if __name__ == "__main__":
    main()
