"""When a "no such mailbox" on our own wire is believed: a mail server may say it to everybody.

A refusal there is an event like a provider's, stored in the transaction that settles its copy
(`sending.outcomes`), and judged a while later, when it is known what the server said to others. It is
believed when only some readers of the issue, and of the reader's mail domain, are refused so; it is not
when the breaker paused the issue meanwhile. What is not believed counts as a soft bounce: often
enough over weeks (`returns.soft`), it suppresses after all.
"""

import enum
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import CharField, Count, Func, QuerySet, Value

from digests.models import Delivery, DeliveryEvent, Issue

# The provider's name under which our own wire's refusals are stored.
PROVIDER: Final = "smtp"
# So long a refusal waits while its issue is being sent: the breaker pauses the issue sooner.
WAIT: Final = timedelta(seconds=60)
# Fewer refusals than this are believed whatever their share: a small list may have lost several readers.
FEW: Final = 5
# Above this share the list is old or bought, or the server is mad. The breaker pauses the issue at the same share.
SHARE: Final = 0.2
# Before an issue is over, its first copies say nothing of a share.
LEAST: Final = 100

NOT_BELIEVED: Final = "not believed: too many readers were refused like this"
_SETTLED: Final = (Delivery.State.ACCEPTED, Delivery.State.REJECTED)
# Counting a large issue's copies takes seconds, and thousands of its readers may be gone.
_KNOWN_FOR_SECONDS: Final = 30.0
_KNOWN_ISSUES: Final = 32


class Belief(enum.Enum):
    """What a refusal is worth."""

    BELIEVED = enum.auto()
    DOUBTED = enum.auto()
    OPEN = enum.auto()  # too early to say


def open_events(*, issue_id: int) -> QuerySet[DeliveryEvent]:
    """The refusals of an issue that nothing has followed from yet."""
    return DeliveryEvent.objects.filter(issue_id=issue_id, provider=PROVIDER, settled_at__isnull=True)


def weigh(*, issue: Issue, address_key: str) -> Belief:
    """What a refusal of this reader in this issue is worth now. Counts are at most _KNOWN_FOR_SECONDS old."""
    counts = _known(issue)
    if not counts.is_over and counts.settled < LEAST:
        return Belief.OPEN
    if _is_too_many(counts.settled, counts.gone) or _domain(address_key) in counts.doubtful:
        return Belief.DOUBTED if counts.is_over else Belief.OPEN
    return Belief.BELIEVED


def count_anew(*, issue_id: int) -> None:
    """Forget what was counted: the issue's last copies have their results now."""
    _counts.pop(issue_id, None)


def doubt(*, issue_id: int) -> int:
    """Believe none of the issue's refusals that are still open; returns how many. They become soft bounces."""
    return open_events(issue_id=issue_id).update(
        kind=DeliveryEvent.Kind.SOFT_BOUNCE, about_mailbox=False, description=NOT_BELIEVED
    )


@dataclass(frozen=True, slots=True)
class _Counts:
    """What is known of an issue: copies that have their result, those that the wire called gone, and where too many."""

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
    told = DeliveryEvent.objects.filter(issue=issue, provider=PROVIDER)
    refused = Delivery.objects.filter(issue=issue, uuid__in=told.values("delivery_uuid"))
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
    """How many of the rows belong to readers of each mail domain."""
    domain = Func(path, Value("@"), Value(-1), function="split_part", output_field=CharField())
    found = rows.annotate(domain=domain) if only is None else rows.annotate(domain=domain).filter(domain__in=list(only))
    return dict(found.order_by().values_list("domain").annotate(count=Count("pk")))


def _domain(address_key: str) -> str:
    return address_key.rpartition("@")[2]


def _is_too_many(settled: int, gone: int) -> bool:
    return gone >= FEW and gone > SHARE * settled


def _is_over(issue: Issue) -> bool:
    return not Delivery.objects.under_way().filter(issue=issue, state__in=Delivery.OPEN).exists()
