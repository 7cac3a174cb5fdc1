"""Figures for Prometheus, read from the rows and from Redis at each scrape. They name no person.

Copies are counted only for the issues that are under way. Of one that ended lately with copies that need a
person the stored outcomes are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Count, Min, QuerySet
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.registry import Collector

from core import database_clock
from digests import heartbeat, stats
from digests.models import Delivery, DeliveryEvent, Issue
from digests.sending.pacing import report
from newsroom import dead_entries, readiness, version, worker_heartbeat, workers
from subscribers import signup_breaker
from subscribers.models import Letter

WAITING: Final = ("pending", "claimed", "attempting", "deferred", "uncertain")
UNDER_WAY: Final = (Issue.State.SENDING, Issue.State.PAUSED)
# For how long the exceptions of an issue that ended are among the figures.
REMEMBERED: Final = timedelta(days=14)
__all__ = ["CONTENT_TYPE", "text"]

Sample = tuple[Mapping[str, object], float]


class _Figures(Collector):
    """All metrics, read again at each scrape."""

    def collect(self) -> Iterator[Metric]:
        now = database_clock.now()
        yield from (*_overall(now), *_issues(now), *_letters(now), *_signups(now), *_returns(now), *_pace())


def text() -> str:
    """Prometheus' text exposition format, as `CONTENT_TYPE` names it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures())
    return generate_latest(registry).decode()


def _overall(now: datetime) -> Iterator[Metric]:
    release = [({"version": version.VERSION}, 1)]
    yield _gauge("newsroom_build_info", "Always 1; the label is the version of this release.", release)
    yield _gauge("newsroom_issues", "Issues by state.", _by_state(Issue.objects.all()))
    due = Issue.objects.filter(state__in=["scheduled", "preparing"], scheduled_for__lte=now)
    late = due.aggregate(since=Min("scheduled_for"))["since"]
    yield _one("newsroom_issues_late_seconds", "How long the oldest approved issue waits to begin.", _age(late, now))
    clock = heartbeat.age(work="clock", now=now)
    yield _one(
        "newsroom_clock_age_seconds", "Since a worker last did the clock's work, which it does each minute.", clock
    )
    silent = [({"worker": name}, age) for name, age in worker_heartbeat.finished_by().items()]
    yield _gauge("newsroom_worker_age_seconds", "Since each worker of the last day finished a task.", silent)
    yield from _queues()
    yield _one(
        "newsroom_dead_entries", "Entries of queues that were no tasks, put aside and kept.", dead_entries.count()
    )
    meaning = "Entries of queues that were ever put aside."
    yield _one("newsroom_dead_entries_ever", meaning, dead_entries.ever())
    bound = settings.SENDING.lanes * settings.SENDING.copies_in_flight
    yield _one("newsroom_in_flight_bound", "Copies of one issue that may be in flight at once, over its lanes.", bound)


def _queues() -> Iterator[Metric]:
    """Who takes what; absent while Redis is away."""
    signs = worker_heartbeat.read()
    if signs is None:
        return
    beats = [beat.idle for beat in signs.beats]
    meaning = "Since Celery beat last sent something, which it does each minute."
    yield _one("newsroom_beat_age_seconds", meaning, min(beats, default=None))
    takers = [({"queue": queue}, len(readiness.takers(queue, signs))) for queue in workers.QUEUES]
    yield _gauge("newsroom_queue_workers", "Workers that take each queue and live.", takers)
    finished = [({"queue": queue}, age) for queue, age in signs.finished.items() if queue in workers.QUEUES]
    yield _gauge("newsroom_queue_age_seconds", "Since a task of each queue was finished.", finished)


def _issues(now: datetime) -> Iterator[Metric]:
    """The numbers of stats.progress for each issue under way, with the issue's id; and what waits in all of them."""
    watched = [(issue, stats.watched(issue)) for issue in Issue.objects.filter(state__in=UNDER_WAY).order_by("pk")]
    ended = Issue.objects.filter(state=Issue.State.SENT_WITH_EXCEPTIONS, finished_at__gt=now - REMEMBERED)
    counts = [it.by_state for _, it in watched] + [stats.progress(issue).by_state for issue in ended]
    waiting = [({"state": state}, sum(each[state] for each in counts)) for state in WAITING]
    yield _gauge("newsroom_deliveries", "Copies that wait, are under way or need a person, by state.", waiting)
    ids = [issue.pk for issue, _ in watched]
    overdue = Delivery.objects.filter(issue_id__in=ids, state="deferred", due_at__lt=now)
    since = overdue.aggregate(since=Min("due_at"))["since"] if ids else None
    meaning = "How long the oldest copy waits whose next try is due."
    yield _one("newsroom_deliveries_late_seconds", meaning, _age(since, now))

    def family(name: str, meaning: str, values: Iterable[tuple[Issue, float | None]]) -> Metric:
        samples = [({"issue": issue.pk}, float(value)) for issue, value in values if value is not None]
        return _gauge(f"newsroom_issue_{name}", f"{meaning} Of issues that are being sent or paused.", samples)

    yield family("audience", "Readers for whom a copy was planned.", ((one, it.audience) for one, it in watched))
    yield family("conserved", "1 if the copies add up to the audience.", ((one, it.conserved) for one, it in watched))
    yield family("rate", "Copies settled per second, lately.", ((one, it.rate) for one, it in watched))
    yield family(
        "seconds_left", "Time left at that rate; absent if unknown.", ((one, it.seconds_left) for one, it in watched)
    )
    quiet = ((one, _age(it.moved_at or one.started_at, now)) for one, it in watched)
    yield family("quiet_seconds", "Since a copy last moved.", quiet)
    copies = [({"issue": one.pk, "state": state}, n) for one, it in watched for state, n in it.by_state.items()]
    yield _gauge("newsroom_issue_copies", "Copies by state. Of issues that are being sent or paused.", copies)
    put_off = [({"issue": one.pk, "reason": retry.code}, retry.copies) for one, it in watched for retry in it.retries]
    yield _gauge("newsroom_issue_put_off", "Copies to be tried again, by the most frequent reasons.", put_off)


def _letters(now: datetime) -> Iterator[Metric]:
    waiting = Letter.objects.filter(state__in=["pending", "attempting"])
    yield _gauge("newsroom_letters", "Letters that wait or are under way, by state.", _by_state(waiting))
    since = waiting.filter(due_at__lte=now).aggregate(since=Min("due_at"))["since"]
    yield _one("newsroom_letters_oldest_seconds", "Age of the oldest letter that is due.", _age(since, now))


def _returns(now: datetime) -> Iterator[Metric]:
    """What providers and mailboxes say."""
    waiting = DeliveryEvent.objects.filter(settled_at__isnull=True)
    watched = waiting.aggregate(count=Count("pk"), since=Min("received_at"))
    yield _one(
        "newsroom_events_waiting", "Reports of providers and mailboxes that were not acted on.", watched["count"]
    )
    meaning = "Age of the oldest of them; one whose copy is not known waits for a day."
    yield _one("newsroom_events_oldest_seconds", meaning, _age(watched["since"], now))
    read = heartbeat.age(work="returns", now=now) if settings.RETURNS else None
    yield _one(
        "newsroom_returns_age_seconds", "Since the mailbox for returned mail was last read; absent without.", read
    )


def _signups(now: datetime) -> Iterator[Metric]:
    answers = signup_breaker.look(now=now)
    meaning = "Confirmation letters that were sent within the hours of the circuit breaker of sign-ups."
    yield _one("newsroom_signups_asked", meaning, answers.sent)
    yield _one("newsroom_signups_confirmed", "How many of those were confirmed.", answers.confirmed)
    tripped = signup_breaker.has_tripped(now=now)
    yield _one("newsroom_signup_breaker_tripped", "1 while a sign-up has to compute or to wait.", tripped)


def _pace() -> Iterator[Metric]:
    pace = report.pace()
    yield _one("newsroom_redis_up", "1 if Redis answers.", pace.is_known)
    away = [({"route": route}, route in pace.away) for route in pace.routes]
    yield _gauge("newsroom_route_away", "1 if this mail server could not be reached.", away)
    slowed = [({"subject": throttle.subject}, throttle.per_second) for throttle in pace.throttles]
    yield _gauge("newsroom_slowed_rate", "Copies per second of whom asked for a slower pace.", slowed)
    held = [({"subject": throttle.subject}, throttle.held) for throttle in pace.throttles]
    yield _gauge("newsroom_slowed_held_seconds", "How long it gets nothing at all.", held)
    full = [({"copies": rule.limit, "seconds": rule.seconds}, 1) for rule in pace.full]
    yield _gauge("newsroom_limit_full", "1 for each limit over all workers that is used up.", full)


def _by_state(rows: QuerySet[Issue] | QuerySet[Letter]) -> Iterable[Sample]:
    counted = rows.order_by().values_list("state").annotate(number=Count("pk"))
    return [({"state": state}, number) for state, number in sorted(counted)]


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def _one(name: str, meaning: str, value: float | None) -> Metric:
    """A metric without labels; absent when nothing is known."""
    return _gauge(name, meaning, [] if value is None else [({}, value)])


def _gauge(name: str, meaning: str, samples: Iterable[Sample]) -> Metric:
    """One metric: its name, what it means, and a value for each set of labels."""
    metric = GaugeMetricFamily(name, meaning)
    for labels, value in samples:
        metric.add_sample(name, {label: str(content) for label, content in labels.items()}, float(value))
    return metric
