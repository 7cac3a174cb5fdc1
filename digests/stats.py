"""Progress of an issue: the only source of these numbers for pages, commands and metrics.

The copies of an open issue are counted. Those of a closed one are not read: its outcomes are stored
(`issue_outcomes`), and remain when its copies are dropped.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, Max, Min, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from digests import delivery_reasons, states
from digests.models import Delivery, EventKind, Issue, IssueEventCount, IssueOutcome
from digests.states import DeliveryState
from publication import formatting

# The rate is measured over the shortest of these spans (seconds) with at least ENOUGH settled copies.
SPANS: Final = (10, 60, 600)
ENOUGH: Final = 20
# The rate is zero after ten seconds without a copy in which this many were expected.
OVERDUE: Final = 5
# A watcher waits this many times as long as the count took, so that counting takes a twentieth of a core.
REST: Final = 20
EXPENSIVE_SECONDS: Final = 0.1
# Up to this many copies are counted while a page waits.
COUNTED_AT_ONCE: Final = 100_000
MOST_REASONS: Final = 10


@dataclass(frozen=True, slots=True)
class Retry:
    """The copies that were put off for one reason (a code). The first of them is tried again at `next_at`."""

    code: str
    copies: int
    next_at: datetime
    reply: str = ""

    @property
    def reason(self) -> str:
        """The reason as a sentence, with the reply to one of these copies."""
        parameters = {"said": self.reply} if self.reply else {}
        return delivery_reasons.CATALOGUE.sentence(self.code, parameters) or str(_("No reason was given."))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many copies of a closed issue ended in this state for this reason (a code; empty for none)."""

    state: str
    code: str
    copies: int

    @property
    def name(self) -> str:
        """The state in words."""
        return str(DeliveryState(self.state).label.lower())

    @property
    def reason(self) -> str:
        """What the code means, without the particulars of one copy."""
        return delivery_reasons.CATALOGUE.sentence(self.code, None)


@dataclass(frozen=True, slots=True)
class Progress:
    """An issue at one instant.

    `by_state` has every delivery state, also those without copies; `total` is the sum. `audience` is the number of
    planned copies. `conserved`: no copy was lost or added since. `rate`: copies settled per second recently; 0
    unless the issue is being sent. `seconds_left`: at that rate, and not before the last deferred copy is due; None
    if unknown. `retries`: deferred copies by reason, the most frequent first. `outcomes`: of a closed issue, those
    that have a reason, the most frequent first. `seconds`: from its first copy to its end, once it is closed.
    `by_variant`: the copies of each variant by state, without empty states; those of the snapshot itself under "".
    """

    state: str
    by_state: dict[str, int]
    audience: int
    rate: float
    counted_at: datetime
    settled_at: datetime | None = None
    held_until: datetime | None = None
    last_try: datetime | None = None
    retries: tuple[Retry, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    seconds: float | None = None
    by_variant: dict[str, dict[str, int]] = field(default_factory=dict)
    cost: float = 0.0

    @property
    def has_variants(self) -> bool:
        """Whether some copies are in another language than the issue's own."""
        return not set(self.by_variant) <= {""}

    @property
    def finished(self) -> bool:
        return self.state in states.FINISHED

    @property
    def total(self) -> int:
        return sum(self.by_state.values())

    @property
    def conserved(self) -> bool:
        return self.total == self.audience

    @property
    def open(self) -> int:
        """Copies that may still leave; of an issue whose rest is sent also those that are still called cancelled."""
        rest = 0 if self.finished else self.by_state[Delivery.State.CANCELLED]
        return rest + sum(self.by_state[state] for state in Delivery.OPEN)

    @property
    def done(self) -> int:
        return self.total - self.open

    @property
    def deferred(self) -> int:
        return self.by_state[Delivery.State.DEFERRED]

    @property
    def uncertain(self) -> int:
        return self.by_state[Delivery.State.UNCERTAIN]

    @property
    def counted(self) -> list[tuple[str, str, int]]:
        """State, label and number of copies, without empty states."""
        return [
            (state, Delivery.State(state).label.lower(), copies) for state, copies in self.by_state.items() if copies
        ]

    @property
    def seconds_left(self) -> int | None:
        if self.finished or not self.open:
            return 0
        if self.state != Issue.State.SENDING or not (self.rate or self.open == self.deferred):
            return None
        until_last = (self.last_try - self.counted_at).total_seconds() if self.last_try else 0
        return max(0, round(max(until_last, self.open / self.rate if self.rate else 0)))

    @property
    def time_left(self) -> str:
        """`seconds_left` in words; empty if unknown."""
        return "" if self.seconds_left is None else formatting.duration(seconds=self.seconds_left)

    @property
    def duration(self) -> str:
        """`seconds` for a person; empty while the issue is open."""
        return "" if self.seconds is None else formatting.duration(seconds=self.seconds)

    @property
    def mean_rate(self) -> float:
        """Copies that were accepted per second, over all of a closed issue's time."""
        return self.by_state[Delivery.State.ACCEPTED] / max(self.seconds, 1.0) if self.seconds is not None else 0.0

    @property
    def moved_at(self) -> datetime | None:
        """When a copy was last settled or claimed."""
        taken = self.held_until - timedelta(seconds=settings.SENDING.lease_seconds) if self.held_until else None
        return max(filter(None, [self.settled_at, taken]), default=None)

    @property
    def refresh_after(self) -> float:
        """Seconds after which another count is worth its cost."""
        return max(1.0, REST * self.cost)

    @property
    def limits(self) -> list[str]:
        """See `limits`."""
        return limits()


def progress(issue: Issue) -> Progress:
    """The issue's copies, counted or as stored. State, audience and end are those of the `issue` object."""
    return _counted(issue) if issue.finished_at is None else _stored(issue, issue.finished_at)


def events(issue: Issue) -> list[tuple[str, int]]:
    """The events about its copies: label and number of each kind that occurred."""
    counts = dict(IssueEventCount.objects.filter(issue_id=issue.pk).values_list("kind", "events"))
    return [(str(kind.label.lower()), counts[kind]) for kind in EventKind if kind in counts]


def is_dropped(issue: Issue) -> bool:
    """Whether the issue's copies were older than RETENTION_DAYS and have been dropped."""
    if issue.deliveries_month is None or not issue.audience_count:
        return False
    return not Delivery.objects.filter(month=issue.deliveries_month, issue_id=issue.pk).exists()


def _counted(issue: Issue) -> Progress:
    began = time.monotonic()
    rows = list(_counts(issue))
    by_state, by_variant = _sums((row["state"], row["variant"] or "", row["copies"]) for row in rows)
    settled_at = _latest(rows, "settled")
    retries = _retries(issue) if by_state[Delivery.State.DEFERRED] else ()
    return Progress(
        state=issue.state,
        by_state=by_state,
        audience=issue.audience_count or 0,
        rate=_rate(issue, rows, settled_at),
        counted_at=timezone.now(),
        settled_at=settled_at,
        held_until=_latest(rows, "held"),
        last_try=_latest(rows, "due"),
        retries=retries,
        by_variant=by_variant,
        cost=time.monotonic() - began,
    )


def _stored(issue: Issue, finished_at: datetime) -> Progress:
    stored = list(IssueOutcome.objects.filter(issue_id=issue.pk))
    by_state, by_variant = _sums((row.state, row.variant, row.copies) for row in stored)
    by_reason = Counter[tuple[str, str]]()
    for row in stored:
        by_reason[row.state, row.reason] += row.copies
    outcomes = sorted((Outcome(*key, copies) for key, copies in by_reason.items() if key[1]), key=_most_first)
    return Progress(
        state=issue.state,
        by_state=by_state,
        audience=issue.audience_count or 0,
        rate=0.0,
        counted_at=finished_at,
        settled_at=finished_at,
        outcomes=tuple(outcomes),
        # Of one whose rest was sent later the time between says nothing.
        seconds=(finished_at - issue.started_at).total_seconds() if issue.started_at and not issue.rest_at else None,
        by_variant=by_variant,
    )


def _sums(rows: Iterable[tuple[str, str, int]]) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """Copies by state, and the same of each variant, from rows of state, variant and copies."""
    by_state = dict.fromkeys(Delivery.State.values, 0)
    by_variant: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for state, variant, copies in rows:
        by_state[state] += copies
        by_variant[variant][state] += copies
    return by_state, {variant: dict(states) for variant, states in by_variant.items()}


def _most_first(outcome: Outcome) -> tuple[int, str, str]:
    return (-outcome.copies, outcome.state, outcome.code)


_cache: dict[int, tuple[float, str, Progress]] = {}


def watched(issue: Issue) -> Progress:
    """As `progress`, with expensive counts cached in this process.

    A count is cached for REST times as long as it took, or until the issue's state changes.
    """
    if (cached := _cached(issue)) is not None:
        return cached
    latest = progress(issue)
    if latest.cost > EXPENSIVE_SECONDS:
        _cache[issue.pk] = (time.monotonic() + max(1.0, REST * latest.cost), issue.state, latest)
    return latest


def glance(issue: Issue) -> Progress | None:
    """As `watched`, for a page that cannot wait: None if more than COUNTED_AT_ONCE copies would be counted now."""
    if issue.finished_at is None and (issue.audience_count or 0) > COUNTED_AT_ONCE:
        return _cached(issue)
    return watched(issue)


def _cached(issue: Issue) -> Progress | None:
    expires_at, state, cached = _cache.get(issue.pk, (0.0, "", None))
    if cached is not None and state == issue.state and time.monotonic() <= expires_at:
        return cached
    _cache.pop(issue.pk, None)
    return None


def limits() -> list[str]:
    """The configured limits, one sentence each; first the number of copies in flight."""
    sending, pacing = settings.SENDING, settings.PACING
    lanes, batch = sending.lanes, sending.copies_in_flight
    sentences = [
        _("At most %(batch)s copies are in flight in each of %(lanes)s lanes.") % {"batch": batch, "lanes": lanes}
    ]
    rates = {
        _("At most %(count)s copies leave per second, over all workers."): pacing.per_second,
        _("At most %(count)s copies leave per hour, over all workers."): pacing.per_hour,
    }
    sentences += [sentence % {"count": formatting.number(rate)} for sentence, rate in rates.items() if rate]
    if pacing.domains:
        sentences.append(
            _("These mail domains of readers have limits of their own: %(domains)s.")
            % {"domains": ", ".join(pacing.domains)}
        )
    if pacing.warm_up:
        sentences.append(_("Senders that are being warmed up: %(senders)s.") % {"senders": ", ".join(pacing.warm_up)})
    if pacing.hours:
        opens, closes = (f"{hour:%H:%M}" for hour in pacing.hours)
        sentences.append(
            _("Copies leave from %(opens)s to %(closes)s only, in the newsletter's own time zone.")
            % {"opens": opens, "closes": closes}
        )
    return sentences


def _counts(issue: Issue) -> QuerySet[Any, Any]:
    """One row per state and variant: the number of copies, those settled recently, and the latest times."""
    # The engine uses the database's clock. What was settled before the issue went on, such as the copies that a
    # cancellation kept back, says nothing of its speed.
    since_then = Q(settled_at__gt=issue.updated_at)
    fresh = {
        f"fresh_{span}": Count("pk", filter=since_then & Q(settled_at__gt=Now() - timedelta(seconds=span)))
        for span in SPANS
    }
    latest = {"settled": Max("settled_at"), "held": Max("lease_until"), "due": Max("due_at")}
    copies = Delivery.objects.filter(issue_id=issue.pk).order_by().values("state", "variant")
    return copies.annotate(copies=Count("pk"), **fresh, **latest)


def _latest(rows: list[dict[str, Any]], name: str) -> datetime | None:
    return max((row[name] for row in rows if row[name]), default=None)


def _retries(issue: Issue) -> tuple[Retry, ...]:
    rows = (
        # Only deferred copies have a due time, and the index is over it.
        Delivery.objects.filter(issue_id=issue.pk, state=Delivery.State.DEFERRED, due_at__isnull=False)
        .order_by()
        .values("reason")
        .annotate(copies=Count("pk"), next_at=Min("due_at"), reply=Min(delivery_reasons.reply()))
        .order_by("-copies", "reason")[:MOST_REASONS]
    )
    return tuple(Retry(row["reason"], row["copies"], row["next_at"], row["reply"] or "") for row in rows)


def _rate(issue: Issue, rows: list[dict[str, Any]], settled_at: datetime | None) -> float:
    """Copies per second, of the shortest span that says something; none once the next one is long overdue.

    A pause does not count: `updated_at` is when the issue entered its state.
    """
    if issue.state != Issue.State.SENDING or settled_at is None:
        return 0.0
    now = timezone.now()
    running = max(1.0, (now - max(filter(None, [issue.started_at, issue.updated_at]))).total_seconds())
    quiet = (now - settled_at).total_seconds()
    for span in SPANS:
        copies = sum(row[f"fresh_{span}"] for row in rows)
        if copies >= ENOUGH or running <= span or span == SPANS[-1]:
            rate = copies / min(running, span)
            return 0.0 if quiet * rate > OVERDUE and quiet > SPANS[0] else rate
    raise AssertionError("The last span always returns.")
