"""All that is stored about one reader, for the reader: what the law calls access and portability."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from subscribers import evidence, suppression, topics
from subscribers.models import (
    AddressChange,
    ConsentEvent,
    Letter,
    PreferenceChange,
    Subscriber,
    Subscription,
    Suppression,
)

# Of subscriptions, all topics that they name.
TOPICS: Final = tuple(f"{row}topics__{kind}" for row in ("", "preference_changes__") for kind in ("sections", "tags"))
# The mails that a reader was sent and what was noted of them, ready for JSON: a call with `subscriber` gives them.
Copies: TypeAlias = Callable[..., list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class PersonalData:
    """One reader's rows. `texts` are the legal texts that the acts name."""

    subscriber: Subscriber
    suppressed: Suppression | None
    new_address: str
    subscriptions: Sequence[Subscription]
    events: Sequence[ConsentEvent]
    texts: Sequence[dict[str, Any]]
    letters: Sequence[Letter]
    copies: Sequence[dict[str, Any]]


def of(*, subscriber: Subscriber, copies: Copies) -> PersonalData:
    """Gather it. The acts are found by the person, so those under a former address are there too."""
    events = ConsentEvent.objects.filter(subscriber_uuid=subscriber.uuid).select_related("origin").order_by("pk")
    return PersonalData(
        subscriber=subscriber,
        new_address=getattr(AddressChange.objects.filter(subscriber=subscriber).first(), "address", ""),
        suppressed=suppression.find(subscriber.address_hash),
        subscriptions=list(
            subscriber.subscriptions.select_related("newsletter").prefetch_related(*TOPICS).order_by("pk")
        ),
        events=list(events),
        texts=evidence.texts(events),
        letters=list(subscriber.letters.order_by("pk")),
        copies=copies(subscriber=subscriber),
    )


def as_json(data: PersonalData) -> dict[str, Any]:
    """The same for `DjangoJSONEncoder`, with the legal texts in full."""
    reader = data.subscriber
    return {
        "address": reader.address,
        "new_address_asked_for": data.new_address,
        "name": reader.name,
        "language": reader.language,
        "time_zone": reader.time_zone,
        "mail_hour": reader.mail_hour,
        "quiet_hours": [reader.quiet_from, reader.quiet_until],
        "tracking_consent": reader.tracking_consent,
        "since": reader.created_at,
        "suppressed": data.suppressed.reason if data.suppressed else None,
        "subscriptions": [evidence.subscription_facts(row) | _choices(row) for row in data.subscriptions],
        "consent": [evidence.event_facts(event) for event in data.events],
        "texts": data.texts,
        "letters": [
            {"kind": row.kind, "state": row.state, "created_at": row.created_at, "settled_at": row.settled_at}
            for row in data.letters
        ],
        "copies": data.copies,
    }


def _choices(row: Subscription) -> dict[str, Any]:
    return {
        "paused_until": row.paused_until,
        "days": row.days,
        "topics": topics.names(row.topics),
        "format": row.format,
        "changes": [_change(change) for change in row.preference_changes.all()],
    }


def _change(row: PreferenceChange) -> dict[str, Any]:
    return {"at": row.changed_at, "topics": topics.names(row.topics), "format": row.format}
