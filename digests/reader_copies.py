"""The copies of issues that one reader was sent, and the answers to them, for that reader's own data."""

from typing import Any

from digests.models import Delivery, DeliveryEvent, Reply
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
    answers: dict[Any, list[dict[str, Any]]] = {}
    for reply in Reply.objects.filter(subscriber=subscriber).select_related("letter").order_by("pk"):
        answers.setdefault(reply.delivery_uuid, []).append(_answer(reply))
    return [
        {
            "newsletter": row["issue__newsletter__name"],
            "newsletter_slug": row["issue__newsletter__slug"],
            "issue": row["issue__number"],
            "state": row["state"],
            "settled_at": row["settled_at"],
            "events": events.get(row["uuid"], []),
            "replies": answers.get(row["uuid"], []),
        }
        for row in copies
    ]


def _answer(reply: Reply) -> dict[str, Any]:
    """What the reader answered, and what of it is public."""
    published = {"name": reply.letter.name, "text": reply.letter.text} if reply.letter else None
    return {
        "received_at": reply.received_at,
        "from": reply.sender,
        "subject": reply.subject,
        "text": reply.text,
        "quoted": reply.quoted,
        "attachments": reply.attachments,
        "published_as": published,
    }
