"""The copies of issues that one reader was sent, for that reader's own data."""

from typing import Any

from digests.models import Delivery, DeliveryEvent
from subscribers.models import Subscriber


def of(*, subscriber: Subscriber) -> list[dict[str, Any]]:
    """Each copy with what was noted of it, oldest first; values that go into JSON.

    Clicks and opens are among the events only where they were noted with the reader's consent.
    """
    copies = list(
        Delivery.objects.filter(subscriber=subscriber)
        .order_by("pk")
        .values("uuid", "issue__newsletter__name", "issue__newsletter__slug", "issue__number", "state", "settled_at")
    )
    noted = DeliveryEvent.objects.filter(delivery_uuid__in=[row["uuid"] for row in copies]).order_by("pk")
    events: dict[Any, list[dict[str, Any]]] = {}
    for event in noted:
        events.setdefault(event.delivery_uuid, []).append({"kind": event.kind, "occurred_at": event.occurred_at})
    return [
        {
            "newsletter": row["issue__newsletter__name"],
            "newsletter_slug": row["issue__newsletter__slug"],
            "issue": row["issue__number"],
            "state": row["state"],
            "settled_at": row["settled_at"],
            "events": events.get(row["uuid"], []),
        }
        for row in copies
    ]
