"""A new sender's daily allowance, which grows from day to day.

What was used is counted from the rows: copies that were attempted today under this sender's
domain. Redis only keeps the sum while it lives, so FLUSHALL makes nobody start again. Grants
that other lanes hold at that instant are not in rows yet: at most N per lane.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from django.conf import settings
from django.db.models import Q

from digests.models import Delivery, Issue
from postal import limiter
from publication.models import Publication

# Beyond this a plan is over.
GROWN_UP: Final = 10_000_000
# Longer than the day that a sum is of.
KEPT_SECONDS: Final = 172_800.0


def allowance(*, domain: str, now: datetime) -> int | None:
    """How many copies the sender's domain may hand over on the day of `now` (UTC); None: no limit."""
    plans = settings.PACING.warm_up
    plan = plans.get(domain) or plans.get("*")
    if plan is None:
        return None
    first_day, count, growth = plan
    days = (now.astimezone(UTC).date() - first_day).days
    if days < 0:
        return 0
    # A growth of 10 passes every number within days.
    allowed = count * growth ** min(days, 200)
    return None if allowed > GROWN_UP else int(allowed)


def take(*, shared: limiter.Limits, domain: str, wanted: int, now: datetime) -> int:
    """Take up to `wanted` copies of today's allowance."""
    allowed = allowance(domain=domain, now=now)
    if allowed is None:
        return wanted

    def change(stored: str | None) -> tuple[int, float, int]:
        taken = used(domain=domain, now=now) if stored is None else int(stored)
        granted = max(0, min(wanted, allowed - taken))
        return taken + granted, KEPT_SECONDS, granted

    granted = shared.update(_name(domain, now), change)
    if granted is not None:
        return granted
    # Without Redis the rows are counted each time, and this process takes its share of what is left.
    unused = max(0, allowed - used(domain=domain, now=now))
    return min(wanted, unused if unused <= 1 else max(1, unused // shared.share))


def give_back(*, shared: limiter.Limits, domain: str, count: int, now: datetime) -> None:
    """Return what was not used."""
    if count and allowance(domain=domain, now=now) is not None:
        shared.update(
            _name(domain, now),
            lambda stored: (None if stored is None else int(stored) - count, KEPT_SECONDS, None),
        )


def left(*, shared: limiter.Limits, domain: str, now: datetime) -> int | None:
    """What today's allowance still has, to look at; None: no limit."""
    allowed = allowance(domain=domain, now=now)
    if allowed is None:
        return None
    taken = shared.ask_redis(lambda client: client.get(shared.prefix + _name(domain, now)))
    return max(0, allowed - (used(domain=domain, now=now) if taken is None else int(taken)))


def used(*, domain: str, now: datetime) -> int:
    """How many copies this sender's domain attempted on the day of `now`, from the rows."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    own = Q(newsletter__sender_address__iendswith=f"@{domain}")
    if house_domain() == domain:
        own |= Q(newsletter__sender_address="")
    # Few issues, each with an index over its deliveries: no walk over the whole history.
    issues = Issue.objects.filter(own, planned_at__isnull=False).exclude(finished_at__lt=midnight)
    return Delivery.objects.filter(issue__in=issues, attempted_at__gte=midnight).count()


def sender_domain(*, issue: Issue) -> str:
    """The domain that the issue is sent from."""
    address = issue.newsletter.sender_address
    return address.rpartition("@")[2].lower() if address else house_domain()


def house_domain() -> str:
    """The domain of newsletters without a sender of their own."""
    return Publication.objects.current().sender_address.rpartition("@")[2].lower()


def _name(domain: str, now: datetime) -> str:
    return f"warmup:{domain}:{now.astimezone(UTC):%Y-%m-%d}"
