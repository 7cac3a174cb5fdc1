"""Handlers: the effect of each kind of event, once its copy or letter is known.

A copy changes only from `uncertain` to `accepted` or `rejected`. The other effects are on the reader: a missing
mailbox and a complaint suppress the address, an unsubscribe ends the subscription.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum, auto
from typing import Final

from django.db.models import Q

from core.reasons import Reason
from digests import issue_outcomes, refusals
from digests.delivery_reasons import DeliveryReason
from digests.feedback import soft_bounces
from digests.feedback.events import CLOCK_SKEW
from digests.models import Delivery, DeliveryEvent
from subscribers import consent, signup, suppression
from subscribers.letters import send
from subscribers.models import ConsentEvent, Letter, Subscriber, Subscription, Suppression

Kind = DeliveryEvent.Kind
State = Delivery.State

# Kinds about the reader's behaviour instead of the outcome of the mail.
PERSONAL: Final = (Kind.OPEN, Kind.CLICK)


# The reason of an accepted copy for which our mail server's reply was lost.
REPORTED: Final = DeliveryReason.REPORTED_DELIVERED


class Effect(Enum):
    """The result of a handler: done; to be retried; the event must not be stored."""

    SETTLED = auto()
    WAITING = auto()
    FORGOTTEN = auto()


def is_quiet(row: DeliveryEvent, delivery: Delivery) -> bool:
    """Whether the event changes no reader's rows, so that many such events may share a transaction."""
    if row.kind in PERSONAL:
        return True
    is_news = row.kind == Kind.DELIVERED
    is_passing = row.kind == Kind.SOFT_BOUNCE and not row.gave_up
    is_about_us = row.kind == Kind.HARD_BOUNCE and not row.about_mailbox
    return is_news or is_passing or is_about_us or delivery.subscriber is None


def follow(row: DeliveryEvent, delivery: Delivery, now: datetime) -> Effect:
    """Apply an event to its copy, in the caller's transaction, which holds the issue of an open copy."""
    row.issue, row.delivery_uuid = delivery.issue, delivery.uuid
    return HANDLERS[Kind(row.kind)](row, delivery, now)


def follow_letter(row: DeliveryEvent, letter: Letter, now: datetime) -> Effect:
    """Apply an event to a letter: bounces, complaints and unsubscribes concern its reader.

    A mailbox that was never confirmed is not suppressed for a bounce (`subscribers.letters.send`).
    """
    reader = letter.subscriber
    if row.kind == Kind.HARD_BOUNCE or (row.kind == Kind.SOFT_BOUNCE and row.gave_up):
        send.came_back(letter=letter, now=now)
    if row.kind == Kind.COMPLAINT:
        _suppress(reader.address_hash, Suppression.Reason.COMPLAINT, row, now)
    elif row.kind == Kind.HARD_BOUNCE and row.about_mailbox and send.is_proven(subscriber_id=reader.pk):
        _suppress(reader.address_hash, Suppression.Reason.HARD_BOUNCE, row, now)
    if row.kind in {Kind.COMPLAINT, Kind.UNSUBSCRIBE}:
        for subscription in letter.subscriptions.select_related("subscriber", "newsletter"):
            _leave(subscription, row.occurred_at, row, "provider", now)
    return Effect.FORGOTTEN if row.kind in PERSONAL else Effect.SETTLED


def is_about_reader(row: DeliveryEvent) -> bool:
    """Whether an event is about a reader, although its copy no longer exists.

    It repeats our own id, so the mail was ours. Without an id it may be about any mail.
    """
    is_final = row.kind in {Kind.COMPLAINT, Kind.UNSUBSCRIBE} or (row.kind == Kind.HARD_BOUNCE and row.about_mailbox)
    return is_final and row.delivery_uuid is not None and row.address_hash != ""


def follow_address(row: DeliveryEvent, now: datetime) -> None:
    """Do what an event `is_about_reader` asks for: by the address, since its copy was dropped long ago."""
    theirs = Subscription.objects.filter(subscriber__address_hash=row.address_hash)
    held = theirs.select_for_update(no_key=True, of=("self", "subscriber")).select_related("subscriber", "newsletter")
    subscriptions = list(held.order_by("pk"))
    if not subscriptions or any(one.confirmed_at and one.confirmed_at > row.occurred_at for one in subscriptions):
        return
    if row.kind == Kind.HARD_BOUNCE:
        _suppress(row.address_hash, Suppression.Reason.HARD_BOUNCE, row, now)
        return
    if row.kind == Kind.COMPLAINT:
        _suppress(row.address_hash, Suppression.Reason.COMPLAINT, row, now)
    for subscription in subscriptions:
        _leave(subscription, row.occurred_at, row, "complaint" if row.kind == Kind.COMPLAINT else "provider", now)


def may_change(delivery: Delivery) -> bool:
    """Whether an event may change the copy. Then the issue's row is locked before it is followed."""
    return delivery.state == State.UNCERTAIN or (delivery.state, delivery.reason) == (State.ACCEPTED, REPORTED)


def _delivered(row: DeliveryEvent, delivery: Delivery, now: datetime) -> Effect:
    return _settle_copy(delivery, State.ACCEPTED, Reason(REPORTED), Q(), now)


def _soft_bounce(row: DeliveryEvent, delivery: Delivery, now: datetime) -> Effect:
    """A delay has no effect yet. A copy that was given up is lost. `soft_bounces` decides about the address."""
    if not row.gave_up:
        return Effect.SETTLED
    reader = delivery.subscriber
    if reader is not None:
        _hold(delivery)
        row.save()  # so that it counts
        if soft_bounces.is_enough(subscriber_id=reader.pk):
            _suppress(reader.address_hash, Suppression.Reason.SOFT_BOUNCE, row, now)
    return _settle_lost(row, delivery, now)


def _hard_bounce(row: DeliveryEvent, delivery: Delivery, now: datetime) -> Effect:
    reader = delivery.subscriber
    if row.provider == refusals.PROVIDER and reader is not None:
        belief = refusals.weigh(issue=delivery.issue, address_key=reader.address_key)
        if belief is refusals.Belief.OPEN:
            return Effect.WAITING
        if belief is refusals.Belief.DOUBTED:
            row.kind, row.about_mailbox, row.description = Kind.SOFT_BOUNCE, False, refusals.NOT_BELIEVED
            return _soft_bounce(row, delivery, now)
    if row.about_mailbox and reader is not None and not _proved_since(row, delivery):
        _hold(delivery)
        _suppress(_mailed(row, reader), Suppression.Reason.HARD_BOUNCE, row, now)
    return _settle_lost(row, delivery, now)


def _complaint(row: DeliveryEvent, delivery: Delivery, now: datetime) -> Effect:
    reader = delivery.subscriber
    if reader is not None and not _proved_since(row, delivery):
        subscription = _hold(delivery)
        _suppress(_mailed(row, reader), Suppression.Reason.COMPLAINT, row, now)
        _leave(subscription, _moment(row, delivery), row, "complaint", now)
    return Effect.SETTLED


def _unsubscribe(row: DeliveryEvent, delivery: Delivery, now: datetime) -> Effect:
    _leave(_hold(delivery), _moment(row, delivery), row, "provider", now)
    return Effect.SETTLED


def _open(row: DeliveryEvent, delivery: Delivery, now: datetime) -> Effect:
    """Stored only for a reader with tracking consent. Other opens are not even counted."""
    agreed = delivery.subscriber is not None and delivery.subscriber.tracking_consent
    return Effect.SETTLED if agreed else Effect.FORGOTTEN


def _click(row: DeliveryEvent, delivery: Delivery, now: datetime) -> Effect:
    """Counted for the issue. The reader is stored only with tracking consent."""
    if delivery.subscriber is None or not delivery.subscriber.tracking_consent:
        row.delivery_uuid, row.remote_id = None, ""
    return Effect.SETTLED


HANDLERS: Final[Mapping[Kind, Callable[[DeliveryEvent, Delivery, datetime], Effect]]] = {
    Kind.DELIVERED: _delivered,
    Kind.SOFT_BOUNCE: _soft_bounce,
    Kind.HARD_BOUNCE: _hard_bounce,
    Kind.COMPLAINT: _complaint,
    Kind.UNSUBSCRIBE: _unsubscribe,
    Kind.OPEN: _open,
    Kind.CLICK: _click,
}


def _settle_lost(row: DeliveryEvent, delivery: Delivery, now: datetime) -> Effect:
    # A bounce of an earlier attempt does not settle the attempt that is uncertain now.
    of_this_attempt = Q(attempted_at__lte=row.occurred_at + CLOCK_SKEW)
    parameters = {"said": row.description[:200]} if row.description else {}
    why = Reason(DeliveryReason.REPORTED_BOUNCED, parameters)
    return _settle_copy(delivery, State.REJECTED, why, of_this_attempt, now)


def _settle_copy(delivery: Delivery, state: State, reason: Reason, condition: Q, now: datetime) -> Effect:
    """uncertain -> `state`; accepted because of an event -> rejected.

    A copy that is still on its way may become uncertain, so its event waits.
    """
    # Reported as delivered, then as bounced: the two events may arrive in any order.
    if delivery.state == State.UNCERTAIN or (state == State.REJECTED and may_change(delivery)):
        unchanged = Delivery.objects.filter(condition, pk=delivery.pk, state=delivery.state, reason=delivery.reason)
        if unchanged.update(state=state, settled_at=now, **reason.columns()):
            issue_outcomes.move(delivery=delivery, state=state, reason=reason)
            delivery.state, delivery.reason = state, reason.code
            return Effect.SETTLED
        delivery.refresh_from_db(fields=["state", "reason"])
    return Effect.WAITING if delivery.state in (*Delivery.OPEN, State.UNCERTAIN) else Effect.SETTLED


def _mailed(row: DeliveryEvent, reader: Subscriber) -> str:
    """The keyed hash of the address that was mailed.

    A report may name an earlier address of the reader, which the consent record has. Any other address was not
    mailed, so it must not be suppressed.
    """
    if row.address_hash in {"", reader.address_hash}:
        return reader.address_hash
    had = ConsentEvent.objects.filter(subscriber_uuid=reader.uuid, address_hash=row.address_hash)
    return row.address_hash if had.exists() else reader.address_hash


def _moment(row: DeliveryEvent, delivery: Delivery) -> datetime:
    """When the event happened, but not before the copy left: the provider's clock may be wrong."""
    return max(row.occurred_at, delivery.attempted_at or row.occurred_at)


def _proved_since(row: DeliveryEvent, delivery: Delivery) -> bool:
    """Whether the reader confirmed after the event: an old report must not undo a newer consent."""
    newer = Q(subscriber_id=delivery.subscriber_id, confirmed_at__gt=_moment(row, delivery))
    return Subscription.objects.filter(newer).exists()


def _hold(delivery: Delivery) -> Subscription | None:
    """Lock the reader as `attempts` does, so that no attempt is recorded after this event commits."""
    if delivery.subscriber_id is None:
        return None
    held = Subscription.objects.filter(
        subscriber_id=delivery.subscriber_id, newsletter_id=delivery.issue.newsletter_id
    ).select_related("subscriber", "newsletter")
    return held.select_for_update(no_key=True, of=("self", "subscriber")).first()


def _suppress(address_hash: str, reason: Suppression.Reason, row: DeliveryEvent, now: datetime) -> None:
    suppression.suppress_hash(address_hash=address_hash, reason=reason, note=f"reported by {row.provider}", now=now)


def _leave(
    subscription: Subscription | None, happened_at: datetime, row: DeliveryEvent, reason: str, now: datetime
) -> None:
    """Unsubscribe, unless the reader is gone, has left already or has confirmed since."""
    if subscription is None or subscription.state == Subscription.State.UNSUBSCRIBED:
        return
    if subscription.confirmed_at is not None and subscription.confirmed_at > happened_at:
        return
    evidence = consent.Evidence(basis=f"reported by {row.provider}")
    signup.unsubscribe(subscription=subscription, evidence=evidence, reason=reason, now=now)
