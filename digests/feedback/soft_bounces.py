"""When repeated soft bounces suppress an address.

Lost copies are counted, not notifications. A copy is lost when the server that carried it has given up. The
reader's newest copies with a known outcome must be lost, SOFT_BOUNCES.copies of them in a row, and the first
and last notification at least SOFT_BOUNCES.days days apart. A copy that was delivered resets the count; so
does one that was accepted and never reported, if a later one bounced.
"""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Exists, OuterRef, Subquery

from digests.models import Delivery, DeliveryEvent
from subscribers.models import Subscription

# Number of copies of one reader that are examined, newest first: more than a month of them.
_NEWEST: Final = 100

_EVENTS = DeliveryEvent.objects.filter(delivery_uuid=OuterRef("uuid")).order_by("occurred_at")
_LOST = _EVENTS.filter(kind=DeliveryEvent.Kind.SOFT_BOUNCE, gave_up=True)
_DELIVERED = _EVENTS.filter(kind=DeliveryEvent.Kind.DELIVERED)


def is_enough(*, subscriber_id: int) -> bool:
    """Whether the reader's newest copies were all lost, for long enough. One query over copies; changes nothing."""
    lost = _lost_in_a_row(subscriber_id)
    span = max(lost) - min(lost) if lost else timedelta()
    enough, days = settings.SOFT_BOUNCES.copies, settings.SOFT_BOUNCES.days
    return len(lost) >= enough and span >= timedelta(days=days)


def _lost_in_a_row(subscriber_id: int) -> list[datetime]:
    """When each copy of the newest run of lost copies was given up."""
    confirmed = Subscription.objects.filter(subscriber_id=subscriber_id).values_list("confirmed_at", flat=True)
    # A new confirmation proves that the mailbox works, so older bounces no longer count.
    since = max((moment for moment in confirmed if moment), default=None)
    copies = Delivery.objects.filter(subscriber_id=subscriber_id, attempted_at__isnull=False)
    reported = copies.annotate(lost_at=Subquery(_LOST.values("occurred_at")[:1]), arrived=Exists(_DELIVERED))
    newest = reported.order_by("-attempted_at", "-pk").values_list("lost_at", "arrived", "state")[:_NEWEST]
    lost: list[datetime] = []
    for lost_at, arrived, state in newest:
        if lost_at is not None and (since is None or lost_at > since):
            lost.append(lost_at)
        elif lost_at is not None or arrived or (lost and state == Delivery.State.ACCEPTED):
            break
    return lost
