"""How far an issue is, and what was said of it: one aggregate query each, read by pages and commands."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Count, Q
from django.db.models.functions import Now
from django.utils import timezone

from digests.models import Delivery, DeliveryEvent, Issue

RATE_WINDOW = timedelta(seconds=60)
FINISHED = frozenset({Issue.State.SENT, Issue.State.SENT_WITH_EXCEPTIONS, Issue.State.CANCELLED})


@dataclass(frozen=True, slots=True)
class Progress:
    """An issue at one instant.

    `by_state` has every delivery state, zeros included; `total` is their sum; `audience` is how many
    were planned, 0 before. `conserved`: nobody was lost or added since. `rate`: copies settled per
    second over the last minute. `seconds_left`: at that rate; None when there is none.
    """

    by_state: dict[str, int]
    audience: int
    rate: float
    finished: bool

    @property
    def total(self) -> int:
        return sum(self.by_state.values())

    @property
    def conserved(self) -> bool:
        return self.total == self.audience

    @property
    def open(self) -> int:
        """Copies that may still leave."""
        return sum(self.by_state[state] for state in Delivery.OPEN)

    @property
    def done(self) -> int:
        return self.total - self.open

    @property
    def uncertain(self) -> int:
        return self.by_state[Delivery.State.UNCERTAIN]

    @property
    def seconds_left(self) -> int | None:
        if self.finished or not self.open:
            return 0
        return round(self.open / self.rate) if self.rate else None

    @property
    def pace(self) -> list[str]:
        """See `pace`."""
        return pace()


def progress(issue: Issue) -> Progress:
    """Count the issue's copies. The issue's own state and audience are taken as they are in `issue`."""
    # The engine stamps with the database's clock.
    recently = Q(settled_at__gt=Now() - RATE_WINDOW)
    rows = (
        Delivery.objects.filter(issue_id=issue.pk)
        .order_by()
        .values_list("state")
        .annotate(copies=Count("pk"), fresh=Count("pk", filter=recently))
    )
    counted = {state: (copies, fresh) for state, copies, fresh in rows}
    return Progress(
        by_state={state: counted.get(state, (0, 0))[0] for state in Delivery.State.values},
        audience=issue.audience_count or 0,
        rate=sum(fresh for _, fresh in counted.values()) / _window(issue),
        finished=issue.state in FINISHED,
    )


def pace() -> list[str]:
    """What holds copies back by configuration, one sentence each; first how many are in flight at most."""
    sending, limits = settings.SENDING, settings.PACING
    lanes, batch = sending["LANES"], sending["COPIES_IN_FLIGHT"]
    rates = [f"{limits['PER_SECOND']} a second", f"{limits['PER_HOUR']} an hour"]
    known = [rate for rate in rates if not rate.startswith("0 ")]
    found = [f"At most {batch} copies are in flight in each of {lanes} lanes."]
    if known:
        found.append(f"At most {' and '.join(known)} leave, over all workers.")
    if limits["DOMAINS"]:
        found.append("These mail domains of readers have limits of their own: " + ", ".join(limits["DOMAINS"]) + ".")
    if limits["WARMUP"]:
        found.append("Senders that are being warmed up: " + ", ".join(limits["WARMUP"]) + ".")
    if limits["HOURS"]:
        opens, closes = (f"{hour:%H:%M}" for hour in limits["HOURS"])
        found.append(f"Copies leave from {opens} to {closes} only, in the newsletter's own time zone.")
    return found


def event_counts(issue: Issue) -> dict[str, int]:
    """What was said of the issue, every kind included: of how many copies, and clicks that are nobody's."""
    rows = (
        DeliveryEvent.objects.filter(issue_id=issue.pk)
        .order_by()
        .values_list("kind")
        .annotate(copies=Count("delivery", distinct=True), nobodys=Count("pk", filter=Q(delivery__isnull=True)))
    )
    counted = {kind: copies + nobodys for kind, copies, nobodys in rows}
    return {kind: counted.get(kind, 0) for kind in DeliveryEvent.Kind.values}


def _window(issue: Issue) -> float:
    """Seconds that the rate is taken over: an issue that began ten seconds ago has no minute behind it."""
    running = (timezone.now() - issue.started_at).total_seconds() if issue.started_at else RATE_WINDOW.total_seconds()
    return min(max(running, 1.0), RATE_WINDOW.total_seconds())
