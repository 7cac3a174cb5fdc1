"""When "not now" has been said often enough: an address that only ever bounces softly is not mailed any more.

Copies count, not notices: a copy is lost when whoever carried it has given up on it. The lost ones
must be the newest that anything is known of, in a row, SOFT_BOUNCES.copies of them or more, and
the first and the last notice at least SOFT_BOUNCES.days days apart. A copy that was delivered, or
accepted and not heard of again while a later one bounced, starts the count anew.
"""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import Exists, OuterRef, Subquery

from digests.models import Delivery, DeliveryEvent
from subscribers.models import Subscription

# Copies of one reader that are looked at, newest first: more than a month of anybody's.
_NEWEST: Final = 100

_EVENTS = DeliveryEvent.objects.filter(delivery_uuid=OuterRef("uuid")).order_by("occurred_at")
_LOST = _EVENTS.filter(kind=DeliveryEvent.Kind.SOFT_BOUNCE, gave_up=True)
_DELIVERED = _EVENTS.filter(kind=DeliveryEvent.Kind.DELIVERED)


def is_enough(*, subscriber_id: int) -> bool:
    """Whether the reader's newest copies were all lost, for long enough. One query for the copies; changes nothing."""
    lost = _lost_in_a_row(subscriber_id)
    span = max(lost) - min(lost) if lost else timedelta()
    enough, days = settings.SOFT_BOUNCES.copies, settings.SOFT_BOUNCES.days
    return len(lost) >= enough and span >= timedelta(days=days)


def _lost_in_a_row(subscriber_id: int) -> list[datetime]:
    """When each copy of the newest run of lost ones was given up."""
    confirmed = Subscription.objects.filter(subscriber_id=subscriber_id).values_list("confirmed_at", flat=True)
    # A reader who has just proved the mailbox starts afresh.
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
