"""When a "no such mailbox" in an SMTP reply is believed: a broken mail server may send it to everyone.

Such a refusal is an event like a provider's. It is stored in the transaction that settles its copy
(`sending.outcomes`), and judged later, when the replies to other readers are known. It is believed if only a
small share of the issue's readers, and of the reader's mail domain, were refused like this, and if the circuit
breaker has not paused the issue. Otherwise it counts as a soft bounce, which suppresses after several weeks
(`feedback.soft_bounces`).
"""

import enum
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import CharField, Count, Func, QuerySet, Value

from digests.models import Delivery, DeliveryEvent, Issue

# The provider name of refusals on our own SMTP connections.
PROVIDER: Final = "smtp"
# A refusal waits this long while its issue is being sent. The breaker would pause the issue sooner.
WAIT: Final = timedelta(seconds=60)
# Fewer refusals than this are always believed: a small list may have lost several readers.
FEW: Final = 5
# Above this share the list is old or bought, or the server is broken. The breaker uses the same share.
SHARE: Final = 0.2
# Until an issue is over, a share needs at least this many copies.
LEAST: Final = 100

NOT_BELIEVED: Final = "not believed: too many readers were refused like this"
_SETTLED: Final = (Delivery.State.ACCEPTED, Delivery.State.REJECTED)
# Counting a large issue takes seconds, and it may have thousands of refusals.
_KNOWN_FOR_SECONDS: Final = 30.0
_KNOWN_ISSUES: Final = 32


class Belief(enum.Enum):
    """Whether a refusal is believed."""

    BELIEVED = enum.auto()
    DOUBTED = enum.auto()
    OPEN = enum.auto()  # too early to say


def open_events(*, issue_id: int) -> QuerySet[DeliveryEvent]:
    """The refusals of an issue that are not processed yet."""
    return DeliveryEvent.objects.filter(issue_id=issue_id, provider=PROVIDER, settled_at__isnull=True)


def weigh(*, issue: Issue, address_key: str) -> Belief:
    """Whether a refusal of this reader is believed now. Counts are at most _KNOWN_FOR_SECONDS old."""
    counts = _known(issue)
    if not counts.is_over and counts.settled < LEAST:
        return Belief.OPEN
    if _is_too_many(counts.settled, counts.gone) or _domain(address_key) in counts.doubtful:
        return Belief.DOUBTED if counts.is_over else Belief.OPEN
    return Belief.BELIEVED


def forget_counts(*, issue_id: int) -> None:
    """Drop the cached counts: the issue's last copies have their outcomes now."""
    _counts.pop(issue_id, None)


def doubt(*, issue_id: int) -> int:
    """Turn the issue's open refusals into soft bounces; returns how many."""
    return open_events(issue_id=issue_id).update(
        kind=DeliveryEvent.Kind.SOFT_BOUNCE, about_mailbox=False, description=NOT_BELIEVED
    )


@dataclass(frozen=True, slots=True)
class _Counts:
    """Counts of an issue: settled copies, refused mailboxes, and mail domains with too many of these."""

    settled: int
    gone: int
    doubtful: Collection[str]
    is_over: bool
    counted_at: float


_counts: dict[int, _Counts] = {}


def _known(issue: Issue) -> _Counts:
    known = _counts.get(issue.pk)
    if known is None or time.monotonic() > known.counted_at + _KNOWN_FOR_SECONDS:
        while len(_counts) >= _KNOWN_ISSUES:
            _counts.pop(next(iter(_counts)))
        known = _counts[issue.pk] = _count(issue)
    return known


def _count(issue: Issue) -> _Counts:
    events = DeliveryEvent.objects.filter(issue=issue, provider=PROVIDER)
    refused = Delivery.objects.filter(issue=issue, uuid__in=events.values("delivery_uuid"))
    gone = _by_domain(refused, "subscriber__address_key")
    many = {domain: count for domain, count in gone.items() if count >= FEW}
    copies = Delivery.objects.filter(issue=issue, state__in=_SETTLED)
    settled = _by_domain(copies, "subscriber__address_key", only=many) if many else {}
    return _Counts(
        settled=copies.count(),
        gone=sum(gone.values()),
        doubtful={domain for domain, count in many.items() if _is_too_many(settled.get(domain, 0), count)},
        is_over=_is_over(issue),
        counted_at=time.monotonic(),
    )


def _by_domain(rows: QuerySet[Delivery], path: str, *, only: Collection[str] | None = None) -> dict[str, int]:
    """Number of rows per mail domain of the reader."""
    domain = Func(path, Value("@"), Value(-1), function="split_part", output_field=CharField())
    by_domain = rows.annotate(domain=domain)
    if only is not None:
        by_domain = by_domain.filter(domain__in=list(only))
    return dict(by_domain.order_by().values_list("domain").annotate(count=Count("pk")))


def _domain(address_key: str) -> str:
    return address_key.rpartition("@")[2]


def _is_too_many(settled: int, gone: int) -> bool:
    return gone >= FEW and gone > SHARE * settled


def _is_over(issue: Issue) -> bool:
    return not Delivery.objects.under_way().filter(issue=issue, state__in=Delivery.OPEN).exists()
