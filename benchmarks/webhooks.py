"""Webhooks of providers about copies that were sent: a real web server, worker and database.

Signed events come at RATE a second for SECONDS, some of them twice; then in batches; then as fast as they are
accepted. Figures: acknowledged events a second, the response time from the moment at which a request was due,
events that were acknowledged and lost (must be none), the time from the last response until all are processed,
CPU seconds per 1,000 events.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

import psutil

from benchmarks import _audience, _figures, _measuring, _provider_webhooks, _site

from django.db import connection  # isort: skip  # _audience sets Django up
from django.db.models import Max  # isort: skip  # as above

from digests.models import Delivery, DeliveryEvent  # isort: skip  # as above
from newsroom import owner  # isort: skip  # as above

RATE = int(os.environ.get("RATE", "500"))
SECONDS = int(os.environ.get("SECONDS", "20"))
PER_BATCH = 100
READERS = 20_000
SETTLE_SECONDS = 120.0

SITE = {
    "EMAIL_URL": f"anymail+mailgun://key@mg.example.org?webhook_signing_key={_provider_webhooks.MAILGUN_KEY}",
    "WEBHOOK_SECRET": _provider_webhooks.SECRET,
}

# Some are uncertain, and what is said of them settles them.
SEND = """
UPDATE digests_delivery SET state = CASE WHEN id % 200 = 0 THEN 'uncertain' ELSE 'accepted' END,
    attempts = 1, attempted_at = now() - interval '1 minute', settled_at = now(), lease_until = NULL
"""


def main() -> None:
    """Measure reports one by one, then in batches, then as fast as possible."""
    copies = sent()
    # For events alone: the letters that follow from some would go to a real provider.
    with _site.web(SITE) as (port, web), _site.worker(SITE, queues="webhooks", concurrency=1) as settling:
        place = Place(port, web, settling)
        events = _provider_webhooks.events(copies, RATE * SECONDS)
        place.measure("one by one", events, _provider_webhooks.mailgun(events), RATE)
        place.measure("in batches", events, _provider_webhooks.sparkpost(events, size=PER_BATCH), RATE / PER_BATCH)
        place.measure("all at once", events, _provider_webhooks.mailgun(events), 0)


def sent() -> list[_provider_webhooks.Copy]:
    """An issue whose copies have left, as the provider knows them."""
    issue = _audience.planned_issue(_audience.create(readers=READERS))
    with connection.cursor() as cursor:
        cursor.execute(SEND)
    with owner.rights(), connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE digests_delivery")
    rows = Delivery.objects.filter(issue=issue).values_list("uuid", "subscriber__address")
    return [_provider_webhooks.Copy(str(uuid), str(address)) for uuid, address in rows]


@dataclass(frozen=True, slots=True)
class Place:
    """What runs, and where."""

    port: int
    web: psutil.Process
    worker: psutil.Process

    def measure(
        self, name: str, events: Sequence[tuple[_provider_webhooks.Copy, str]], requests: Sequence[bytes], rate: float
    ) -> None:
        """Send the requests, wait until all is settled, and say what it took."""
        before = DeliveryEvent.objects.count()
        newest = DeliveryEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0
        meters = {"web": _measuring.Meter(), "worker": _measuring.Meter(), "postgres": _measuring.Meter()}
        self._read(meters)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            answers = pool.apply(_provider_webhooks.send, (self.port, requests, rate))
        acknowledged = DeliveryEvent.objects.filter(pk__gt=newest).count()
        seconds = _settled(newest)
        self._read(meters)
        say = functools.partial(_figures.say, "webhooks", reports=name)
        share = len(events) / len(set(requests))
        say("acknowledged", len(requests) * share / answers.lasted, "events/s", requests=len(requests))
        say("p50", statistics.median(answers.seconds) * 1000, "ms")
        say("p99", statistics.quantiles(answers.seconds, n=100, method="inclusive")[98] * 1000, "ms")
        say("max", max(answers.seconds) * 1000, "ms")
        say("refused", sum(status != 200 for status in answers.statuses), "requests")
        # Openings of readers who did not agree are dropped when they are looked at; of all else there is a row.
        expected = sum(word != "opened" for _, word in events)
        say("lost", max(expected - DeliveryEvent.objects.count() + before, 0), "events", rows=acknowledged)
        say("until all are settled", seconds, "s")
        for program, meter in meters.items():
            say(f"{program} CPU", meter.seconds() / (len(requests) * share / 1000), "s/1000 events")

    def _read(self, meters: Mapping[str, _measuring.Meter]) -> None:
        meters["web"].read([self.web, *self.web.children(recursive=True)])
        meters["worker"].read([self.worker, *self.worker.children(recursive=True)])
        meters["postgres"].read(_measuring.postgres())


def _settled(newest: int) -> float:
    """Seconds until nothing that came after `newest` waits."""
    began = time.perf_counter()
    while DeliveryEvent.objects.filter(pk__gt=newest, settled_at__isnull=True).exists():
        if time.perf_counter() - began > SETTLE_SECONDS:
            sys.exit(f"After {SETTLE_SECONDS:.0f} seconds there are events that are not settled.")
        time.sleep(0.05)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
