"""Readers, issues and copies as rows, and events that a provider would report."""

from datetime import UTC, datetime, timedelta
from typing import Any

from anymail.signals import AnymailTrackingEvent
from django.db import transaction

from digests import issue_outcomes
from digests.models import Delivery, Issue
from mailkit import addresses
from subscribers import consent
from subscribers.models import Cadence, ConsentEvent, Newsletter, Subscriber, Subscription

# When the readers of these tests confirmed, and when their copies left.
CONFIRMED_AT = datetime(2025, 5, 1, 8, 0, tzinfo=UTC)
LEFT_AT = datetime(2025, 5, 6, 9, 0, tzinfo=UTC)


def reader(newsletter: Newsletter, address: str = "anna@readers.example", *, tracking: bool = False) -> Subscriber:
    """A confirmed daily reader."""
    normalised = addresses.normalise(address)
    subscriber = Subscriber.objects.create(
        address=normalised.address,
        address_key=normalised.key,
        address_hash=addresses.keyed_hash(normalised.key),
        tracking_consent=tracking,
    )
    with transaction.atomic():
        event = consent.record(
            subscriber=subscriber,
            newsletter=newsletter,
            event=ConsentEvent.Kind.CONFIRMED,
            evidence=consent.Evidence(source="test"),
            now=CONFIRMED_AT,
        )
    Subscription.objects.create(
        subscriber=subscriber,
        newsletter=newsletter,
        cadence=Cadence.DAILY,
        state=Subscription.State.CONFIRMED,
        consent_event=event,
        confirmed_at=CONFIRMED_AT,
    )
    return subscriber


def issue(newsletter: Newsletter, *, state: Issue.State = Issue.State.SENDING, audience: int = 1) -> Issue:
    """An issue that has left, or is leaving."""
    return Issue.objects.create(
        newsletter=newsletter,
        subject="What happened",
        state=state,
        number=Issue.objects.count() + 1,
        audience_count=audience,
        started_at=LEFT_AT,
    )


def copy(of: Issue, to: Subscriber | None, state: Delivery.State = Delivery.State.UNCERTAIN, **fields: Any) -> Delivery:
    """One copy in a given state, with what that state requires."""
    values: dict[str, Any] = {"attempted_at": LEFT_AT, "attempts": 1}
    if state in (Delivery.State.CLAIMED, Delivery.State.ATTEMPTING):
        values["lease_until"] = LEFT_AT + timedelta(minutes=2)
    if state == Delivery.State.DEFERRED:
        values["due_at"] = LEFT_AT + timedelta(minutes=5)
    return Delivery.objects.create(issue=of, subscriber=to, state=state, **(values | fields))


def close(of: Issue, *, state: Issue.State = Issue.State.SENT_WITH_EXCEPTIONS) -> None:
    """End the issue and store its outcomes."""
    issue_outcomes.record(issue_id=of.pk)
    Issue.objects.filter(pk=of.pk).update(state=state, finished_at=LEFT_AT + timedelta(minutes=10))


def event(word: str, of: Delivery | None = None, **fields: Any) -> AnymailTrackingEvent:
    """Anymail's own event object, a minute after the copy left. Each call makes another event by default."""
    values: dict[str, Any] = {
        "event_type": word,
        "event_id": f"event-{next(_numbers)}",
        "timestamp": LEFT_AT + timedelta(minutes=1),
        "metadata": {"delivery": str(of.uuid)} if of else {},
        "recipient": of.subscriber.address if of and of.subscriber else None,
        "esp_event": {},
    }
    return AnymailTrackingEvent(**(values | fields))


_numbers = iter(range(1, 1_000_000))
