"""When repeated soft bounces suppress an address.

Lost copies are counted, not notifications. A copy is lost when the server that carried it has given up, or when the
reader's own server did not take it from us because the mailbox was full. The
reader's newest copies with a known outcome must be lost, SOFT_BOUNCES.copies of them in a row, and the first
and last notification at least SOFT_BOUNCES.days days apart. A copy that was delivered resets the count; so
does one that was accepted and never reported, if a later one bounced.
"""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Case, Exists, F, OuterRef, Q, Subquery, When

from digests.models import Delivery, DeliveryEvent, IssueOutcome
from postal.answers import Cause
from subscribers import suppression
from subscribers.models import Subscription, Suppression

# The minute of the hour of `sweep`.
_MINUTE: Final = 37
# Number of copies of one reader that are examined, newest first: more than a month of them.
_NEWEST: Final = 100

_EVENTS = DeliveryEvent.objects.filter(delivery_uuid=OuterRef("uuid")).order_by("occurred_at")
_LOST = _EVENTS.filter(kind=DeliveryEvent.Kind.SOFT_BOUNCE, gave_up=True)
_DELIVERED = _EVENTS.filter(kind=DeliveryEvent.Kind.DELIVERED)

# A copy that ended with us because its mailbox was full. Other passing refusals may be our own server's fault.
FULL: Final = Q(state__in=[Delivery.State.REJECTED, Delivery.State.EXPIRED], reason=Cause.MAILBOX_FULL.value)
# Issues that ended in this time are looked at each hour: after a stop of some days none is missed.
_RECENT: Final = timedelta(days=7)


def sweep(*, now: datetime) -> int:
    """Suppress the readers whose copies of the last issues were refused for a full mailbox once too often.

    What servers report later is judged when it comes (`handlers`); what they say to us is judged here, once an
    hour, after the issue has ended. Returns how many were suppressed; safe to repeat.
    """
    if now.minute != _MINUTE:
        return 0
    ended = IssueOutcome.objects.filter(
        reason=Cause.MAILBOX_FULL.value, issue__finished_at__gt=now - _RECENT
    ).values_list("issue_id", flat=True)
    refused = Delivery.objects.filter(FULL, issue_id__in=list(ended), subscriber__isnull=False)
    suppressed = Suppression.objects.filter(address_hash=OuterRef("subscriber__address_hash"))
    readers = (
        refused.filter(~Exists(suppressed))
        .values_list("subscriber_id", "subscriber__address_hash")
        .order_by()
        .distinct()
    )
    lost = [address_hash for reader, address_hash in readers if is_enough(subscriber_id=reader)]
    for address_hash in lost:
        suppression.suppress_hash(
            address_hash=address_hash, reason=Suppression.Reason.SOFT_BOUNCE, note="the mailbox stays full", now=now
        )
    return len(lost)


def is_enough(*, subscriber_id: int) -> bool:
    """Whether the reader's newest copies were all lost, for long enough. One query over copies; changes nothing."""
    lost = _lost_in_a_row(subscriber_id)
    span = max(lost) - min(lost) if lost else timedelta()
    enough, days = settings.SOFT_BOUNCES.copies, settings.SOFT_BOUNCES.days
    return len(lost) >= enough and span >= timedelta(days=days)


def _lost_in_a_row(subscriber_id: int) -> list[datetime]:
    """When each copy of the newest run of lost copies was given up."""
    moments = Subscription.objects.filter(subscriber_id=subscriber_id).values_list(
        "confirmed_at", "subscriber__bounces_since"
    )
    # A new confirmation proves that the mailbox works, so older bounces no longer count; nor do those before a lift.
    since = max((moment for pair in moments for moment in pair if moment), default=None)
    copies = Delivery.objects.filter(subscriber_id=subscriber_id, attempted_at__isnull=False)
    lost_at = Case(When(FULL, then=F("settled_at")), default=Subquery(_LOST.values("occurred_at")[:1]))
    reported = copies.annotate(lost_at=lost_at, arrived=Exists(_DELIVERED))
    newest = reported.order_by("-attempted_at", "-pk").values_list("lost_at", "arrived", "state")[:_NEWEST]
    lost: list[datetime] = []
    for lost_at, arrived, state in newest:
        if lost_at is not None and (since is None or lost_at > since):
            lost.append(lost_at)
        elif lost_at is not None or arrived or (lost and state == Delivery.State.ACCEPTED):
            break
    return lost
