"""Whether a year of copies costs the next issue anything: the engine over SMTP, with and without ten million of them.

An issue is sent on an empty table, one beside YEAR_ROWS copies of closed issues, and so on in turns, so that what
else the machine does meets both. Figures: the ratios of the two in copies a second, in CPU of PostgreSQL and of the
workers, and in the wait for the first copy, as medians of ROUNDS; bytes of a closed copy with its indexes; what moving
an issue's copies and dropping a month take; and with all of the history, one reader's copies, a late bounce, an issue's
page and an erasure. READERS sets the audience of each issue. The copies have ids of Postfix; a provider's are longer.
"""

from __future__ import annotations

import functools
import os
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

import psutil
from anymail.signals import AnymailTrackingEvent
from django.conf import settings

from benchmarks import _audience, _figures, _history, _measuring, _postfix

from django.utils import timezone  # isort: skip  # as above

from digests import stats  # isort: skip  # as above
from digests.feedback import correlation, events, processing  # isort: skip  # as above
from digests.models import Delivery, DeliveryEvent, Issue  # isort: skip  # as above
from digests.sending import history  # isort: skip  # as above
from subscribers import consent, erasure  # isort: skip  # as above
from subscribers.models import Newsletter, Subscriber  # isort: skip  # as above

READERS = int(os.environ.get("READERS", "50000"))
YEAR_ROWS = int(os.environ.get("YEAR_ROWS", "10000000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
LANES = os.environ.get("LANES", "4")
COPIES_IN_FLIGHT = os.environ.get("COPIES_IN_FLIGHT", "100")
# Readers of whom something is asked, one after another.
ASKED = 50

say = functools.partial(_figures.say, "year")


def main() -> None:
    """Fill, send in turns, then ask about what is kept, and drop a month of it."""
    tools = _postfix.find(Path(settings.VAR_DIR))
    if tools is None:
        sys.exit("smtp-sink cannot be had: install Debian's postfix package for this benchmark.")
    newsletter = _audience.create(readers=READERS)
    fill(newsletter)
    with _postfix.sink(tools) as port:
        environment = {
            "EMAIL_URL": f"smtp://127.0.0.1:{port}",
            "COPIES_IN_FLIGHT": COPIES_IN_FLIGHT,
            "LANES": LANES,
        }
        with _measuring.worker(environment, LANES) as process:
            turns(newsletter, process)
    questions()
    drop()


def fill(newsletter: Newsletter) -> None:
    """The history, and what a copy of it takes."""
    started = time.perf_counter()
    copies = _history.fill(newsletter=newsletter, rows=YEAR_ROWS, readers=READERS)
    months = len(_history.partitions())
    say("history written", time.perf_counter() - started, "s", copies=copies, months=months)
    say("a closed copy with its indexes", _history.bytes_per_copy(copies), "bytes", allowed=200)


def turns(newsletter: Newsletter, process: psutil.Process) -> None:
    """An issue without the history, one with it, and again; each is moved before the next leaves."""
    runs: dict[str, list[dict[str, float]]] = {"empty": [], "full": []}
    moves: list[float] = []
    # Nobody's first issue is measured: connections, plans and caches begin with it.
    send(newsletter, process, moves)
    for _ in range(ROUNDS):
        with _history.out_of_the_way():
            runs["empty"].append(send(newsletter, process, []))
        runs["full"].append(send(newsletter, process, moves))
    for name, measured in runs.items():
        say("engine", median(measured, "rate"), "copies/s", table=name, readers=READERS)
        say("PostgreSQL CPU", median(measured, "postgres"), "s/1000 copies", table=name)
        say("approval to first copy", median(measured, "first"), "s", table=name)
    ratio("rate, full to empty", "rate", runs, allowed=0.95)
    ratio("PostgreSQL CPU, full to empty", "postgres", runs, allowed=1.15)
    ratio("worker CPU, full to empty", "workers", runs)
    ratio("first copy, full to empty", "first", runs)
    say("moving the copies of an issue", statistics.median(moves), "s/100000 copies")


def send(newsletter: Newsletter, process: psutil.Process, moves: list[float]) -> dict[str, float]:
    """Send an issue and move its copies."""
    issue = _audience.approved_issue(newsletter)
    run = _measuring.send(issue, process)
    started = time.perf_counter()
    _history.move(issue=issue)
    moves.append((time.perf_counter() - started) * 100_000 / READERS)
    run["rate"] = READERS / run["seconds"]
    run["postgres"] /= READERS / 1000
    run["workers"] /= READERS / 1000
    return run


def median(runs: list[dict[str, float]], name: str) -> float:
    return statistics.median(run[name] for run in runs)


def ratio(figure: str, name: str, runs: dict[str, list[dict[str, float]]], **more: float) -> None:
    """Of the medians, with the ratio of each turn beside it."""
    turns = [round(full[name] / empty[name], 3) for empty, full in zip(runs["empty"], runs["full"], strict=True)]
    say(figure, median(runs["full"], name) / median(runs["empty"], name), "1", turns=turns, **more)


def questions() -> None:
    """What a person, a provider and a reader ask, with the history in place."""
    readers = list(Subscriber.objects.order_by("?")[:ASKED])
    issue = Issue.objects.filter(deliveries_month__isnull=False).order_by("pk")[0]
    timed("one reader's copies", readers, lambda reader: list(reader.deliveries.select_related("issue")))
    timed("a late bounce finds its copy", readers, lambda reader: bounce(reader, issue))
    timed("a late bounce finds its copy by the provider's id", readers, lambda reader: by_remote_id(reader, issue))
    timed("the numbers of a closed issue", readers, lambda _reader: stats.progress(issue))
    timed("the numbers of a closed issue, counted", readers[:3], lambda _reader: counted(issue))
    timed("a reader is erased", readers, erase)


def timed(figure: str, readers: list[Subscriber], ask: Callable[[Subscriber], object]) -> None:
    """The median for one reader, in milliseconds."""
    seconds = []
    for reader in readers:
        started = time.perf_counter()
        ask(reader)
        seconds.append(time.perf_counter() - started)
    say(figure, statistics.median(seconds) * 1000, "ms", most=round(max(seconds) * 1000, 1))


def bounce(reader: Subscriber, issue: Issue) -> None:
    """From the event's coming to what follows from it: the reader is suppressed."""
    copy = Delivery.objects.filter(subscriber=reader, issue=issue).values_list("uuid", flat=True)[0]
    event = AnymailTrackingEvent(
        event_type="bounced",
        event_id=uuid.uuid4().hex,
        timestamp=timezone.now(),
        metadata={events.METADATA_KEY: str(copy)},
        recipient=reader.address,
        reject_reason="bounced",
        mta_response="550 5.1.1 No such user",
        esp_event={},
    )
    row = processing.record(event=event, provider="Mailgun", now=timezone.now())
    if row is None or row.settled_at is None:
        raise RuntimeError("a late bounce did not find its copy")


def by_remote_id(reader: Subscriber, issue: Issue) -> None:
    """The copy alone: nothing follows."""
    remote_id = Delivery.objects.filter(subscriber=reader, issue=issue).values_list("remote_id", flat=True)[0]
    event = DeliveryEvent(pk=1, remote_id=remote_id, address_hash=reader.address_hash)
    if remote_id and not correlation.find([event]).copies:
        raise RuntimeError("an id of the provider did not find its copy")


def counted(issue: Issue) -> None:
    """What the stored outcomes spare: a look at every copy of the issue."""
    list(Delivery.objects.filter(issue=issue).order_by().values_list("state").distinct())


def erase(reader: Subscriber) -> None:
    """As the reader's own page does it."""
    evidence = consent.Evidence(source="bench")
    if not erasure.erase(address_key=reader.address_key, evidence=evidence, actor=None, now=timezone.now()).deleted:
        raise RuntimeError("a reader was not erased")


def drop() -> None:
    """The oldest month is older than RETENTION_DAYS."""
    oldest = history.months()[0]
    settings.RETENTION_DAYS = (timezone.now().date() - oldest - timedelta(days=31)).days
    copies = Delivery.objects.filter(month=oldest).count()
    started = time.perf_counter()
    history.maintain(now=timezone.now())
    say("dropping a month", (time.perf_counter() - started) * 1000, "ms", copies=copies)
    if oldest in history.months():
        raise RuntimeError("the oldest month was not dropped")


if __name__ == "__main__":
    main()
