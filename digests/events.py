"""What providers and mailboxes say of copies that have left: each thing once, and with few effects.

An event is stored before it is believed, once per provider's event id. It changes a copy only from
`uncertain` to `accepted` or `rejected`; the rest of what it does is about the reader: a mailbox that
is not there or a complaint is suppressed, a wish to leave is granted. An event whose copy is not
known yet, or is still on its way, waits, and is looked at again every minute for a day.
"""

import logging
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any, Final, Protocol

from anymail.signals import EventType, tracking
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.dispatch import receiver
from django.utils import timezone

from digests import bounces
from digests.models import Delivery, DeliveryEvent, Issue
from digests.returns import soft
from mailkit import addresses
from subscribers import consent, signup, suppression
from subscribers.models import Letter, Subscription, Suppression

log = logging.getLogger(__name__)

Kind = DeliveryEvent.Kind
State = Delivery.State

# Anymail's word -> ours. The other words (queued, sent, autoresponded, subscribed, inbound, unknown)
# say nothing that we act on. A bounce may turn out to be soft: `bounces.judge`.
KINDS: Final[Mapping[str, Kind]] = {
    EventType.DELIVERED: Kind.DELIVERED,
    EventType.DEFERRED: Kind.SOFT_BOUNCE,
    EventType.BOUNCED: Kind.HARD_BOUNCE,
    EventType.REJECTED: Kind.HARD_BOUNCE,
    EventType.FAILED: Kind.HARD_BOUNCE,
    EventType.COMPLAINED: Kind.COMPLAINT,
    EventType.UNSUBSCRIBED: Kind.UNSUBSCRIBE,
    EventType.OPENED: Kind.OPEN,
    EventType.CLICKED: Kind.CLICK,
}
# Kinds that say what a reader did rather than what became of the mail.
PERSONAL: Final = (Kind.OPEN, Kind.CLICK)

# The name under which transports hand a copy's uuid to a provider, which repeats it in every event.
METADATA_KEY: Final = "delivery"

PARKED_FOR: Final = timedelta(hours=24)
PARKED_AT_ONCE: Final = 1_000
# Clocks of providers and ours may differ by this much when "before" and "after" are compared.
CLOCK_SKEW: Final = timedelta(minutes=5)

_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s<>\"',;:()\[\]{}=]+@[^\s<>\"',;:()\[\]{}=]+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class TrackingEvent(Protocol):
    """The parts of Anymail's AnymailTrackingEvent that are read here."""

    event_type: str
    timestamp: datetime | None
    event_id: str | None
    message_id: str | None
    metadata: Mapping[str, object]
    recipient: str | None
    reject_reason: str | None
    mta_response: str | None
    description: str | None
    click_url: str | None
    esp_event: object


class _Effect(Enum):
    """What became of an event: done; to be looked at again; not to be kept at all."""

    SETTLED = auto()
    WAITING = auto()
    FORGOTTEN = auto()


@receiver(tracking, dispatch_uid="digests.events")
def receive(sender: object, *, event: TrackingEvent, esp_name: str, **_extra: object) -> None:
    """Anymail's door: `record`, now."""
    record(event=event, provider=esp_name, now=timezone.now())


def record(*, event: TrackingEvent, provider: str, now: datetime) -> DeliveryEvent | None:
    """Store one event of a provider and do what follows from it, in one transaction.

    After: the row, settled or parked; None when the same event was stored before, when its kind is
    of no concern, or when it may not be kept. Never raises for anything that the event says; a
    database that is away raises, and then nothing is stored.
    """
    name = provider_name(provider)
    if event.event_type not in KINDS:
        log.info("%s reported %s, which changes nothing", name, _text(event.event_type, 40))
        return None
    with transaction.atomic():
        row, is_new = DeliveryEvent.objects.get_or_create(
            provider=name[:40], event_id=_event_id(event, name), defaults=_facts(event, name, now)
        )
        return _apply(row, now) if is_new else None


def settle_parked(*, now: datetime) -> int:
    """Look again at events that wait, and give up on those that waited a day. Returns how many were settled."""
    parked = DeliveryEvent.objects.filter(settled_at__isnull=True)
    _give_up(parked.filter(received_at__lte=now - PARKED_FOR), now)
    landed = Delivery.objects.exclude(state__in=Delivery.OPEN)
    ready = parked.filter(
        (Q(delivery__isnull=False) & ~Q(delivery__state__in=Delivery.OPEN))
        | Exists(landed.filter(uuid=OuterRef("delivery_uuid")))
        | (~Q(remote_id="") & Exists(landed.filter(~Q(remote_id=""), remote_id=OuterRef("remote_id"))))
    )
    ids = list(ready.order_by("received_at").values_list("pk", flat=True)[:PARKED_AT_ONCE])
    return sum(_settle_one(pk, now) for pk in ids)


def provider_name(name: str) -> str:
    """`Amazon SES`, `amazon-ses` and `amazon_ses` are one provider."""
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def _settle_one(pk: int, now: datetime) -> int:
    """1 when this event is settled now; one that breaks is logged and never stops the others."""
    try:
        with transaction.atomic():
            waiting = DeliveryEvent.objects.select_for_update(skip_locked=True).filter(pk=pk, settled_at__isnull=True)
            row = waiting.first()
            settled = row is not None and (_apply(row, now) is None or row.settled_at is not None)
    except Exception:
        log.exception("event %s could not be settled", pk)
        return 0
    return int(settled)


def _give_up(rows: Any, now: datetime) -> None:
    """Events of copies that we never made. What a stranger opened or clicked is not kept."""
    dropped, _ = rows.filter(kind__in=PERSONAL, delivery__isnull=True).delete()
    unknown = rows.update(settled_at=now, address_hash="")
    if dropped or unknown:
        log.warning("%s events waited a day for a copy that did not come", dropped + unknown)


# --- Reading what a provider says ------------------------------------------------------------


def _facts(event: TrackingEvent, provider: str, now: datetime) -> dict[str, Any]:
    said = f"{event.mta_response or ''} {event.description or ''}".strip()
    kind, about_mailbox = KINDS[event.event_type], False
    if kind == Kind.HARD_BOUNCE:
        bounce = bounces.judge(provider=provider, reject_reason=event.reject_reason, said=said, payload=event.esp_event)
        kind, about_mailbox = (kind if bounce.hard else Kind.SOFT_BOUNCE), bounce.about_mailbox
    return {
        "kind": kind,
        "delivery_uuid": _uuid(event),
        "remote_id": _text(event.message_id, 200, masked=False),
        "address_hash": _address_hash(event.recipient),
        "about_mailbox": about_mailbox,
        "gave_up": KINDS[event.event_type] == Kind.HARD_BOUNCE,
        "description": _text(said, 300),
        "occurred_at": _occurred_at(event, now),
        "received_at": now,
    }


def _event_id(event: TrackingEvent, provider: str) -> str:
    """The provider's id, or, where it gives none, a hash of what makes the event this one."""
    given = _text(event.event_id, 400, masked=False)
    if given and len(given) <= 200:
        return given
    essentials = (event.event_type, event.message_id, _uuid(event), event.recipient, event.timestamp, event.click_url)
    return addresses.keyed_hash(
        "\n".join([provider, given, *(_text(part, 2_000, masked=False) for part in essentials)])
    )


def _uuid(event: TrackingEvent) -> uuid.UUID | None:
    metadata = event.metadata if isinstance(event.metadata, Mapping) else {}
    found = _UUID.fullmatch(str(metadata.get(METADATA_KEY, "")))
    return uuid.UUID(found[0]) if found else None


def _address_hash(recipient: object) -> str:
    try:
        return addresses.keyed_hash(addresses.normalise(str(recipient or "")).key)
    except addresses.InvalidAddress:
        return ""


def _occurred_at(event: TrackingEvent, now: datetime) -> datetime:
    """Never in the future: an event may not outrank what a reader does after it."""
    moment = event.timestamp if isinstance(event.timestamp, datetime) else now
    return min(moment if timezone.is_aware(moment) else moment.replace(tzinfo=UTC), now)


def _text(value: object, length: int, *, masked: bool = True) -> str:
    """Foreign text as a column can hold it: no NUL, no lone surrogate, and no address unless asked."""
    text = _UNPRINTABLE.sub(" ", str(value or "")[: length * 4]).encode(errors="replace").decode()
    return (_ADDRESS.sub("…@…", text) if masked else text).strip()[:length]


# --- What follows from it --------------------------------------------------------------------


def _apply(row: DeliveryEvent, now: datetime) -> DeliveryEvent | None:
    """Find what the event is about and call its handler; the row as it is kept, or None."""
    delivery = _delivery(row)
    if delivery is not None:
        row.delivery, row.issue, row.delivery_uuid = delivery, delivery.issue, delivery.uuid
        effect = HANDLERS[Kind(row.kind)](row, delivery, now)
    else:
        effect = _apply_to_letter(row, now)
    if effect is _Effect.FORGOTTEN:
        row.delete()
        return None
    if effect is _Effect.SETTLED:
        row.settled_at, row.address_hash = now, ""
    row.save()
    return row


def _delivery(row: DeliveryEvent) -> Delivery | None:
    """The copy: by the uuid we gave along, by our Message-ID, or by the provider's id if it names one copy."""
    copies = Delivery.objects.select_related("subscriber", "issue")
    ours = [one for one in (row.delivery_uuid, *_uuids_in(row.remote_id)) if one]
    found = copies.filter(uuid__in=ours).first() if ours else None
    if found or not row.remote_id:
        return found
    named = list(copies.filter(remote_id=row.remote_id)[:2])
    if len(named) > 1 and row.address_hash:
        named = list(copies.filter(remote_id=row.remote_id, subscriber__address_hash=row.address_hash)[:2])
    return named[0] if len(named) == 1 else None


def _uuids_in(message_id: str) -> list[uuid.UUID]:
    return [uuid.UUID(found) for found in _UUID.findall(message_id)]


def _apply_to_letter(row: DeliveryEvent, now: datetime) -> _Effect:
    """A letter has no copy, but its mailbox may be gone or its reader angry; otherwise the event waits."""
    letter = Letter.objects.filter(uuid__in=_uuids_in(row.remote_id)).select_related("subscriber").first()
    if letter is None:
        return _Effect.WAITING
    if row.kind == Kind.COMPLAINT or (row.kind == Kind.HARD_BOUNCE and row.about_mailbox):
        reason = Suppression.Reason.COMPLAINT if row.kind == Kind.COMPLAINT else Suppression.Reason.HARD_BOUNCE
        _suppress(row.address_hash or letter.subscriber.address_hash, reason, row, now)
    return _Effect.FORGOTTEN if row.kind in PERSONAL else _Effect.SETTLED


def _delivered(row: DeliveryEvent, delivery: Delivery, now: datetime) -> _Effect:
    return _settle_copy(delivery, State.ACCEPTED, "", Q(), now)


def _soft_bounce(row: DeliveryEvent, delivery: Delivery, now: datetime) -> _Effect:
    """Once it has happened often enough (`returns.soft`), the address is mailed no more. A delay never counts."""
    reader = delivery.subscriber
    if row.gave_up and reader is not None:
        _hold(delivery)
        row.save()  # so that it counts
        if soft.is_enough(subscriber_id=reader.pk):
            _suppress(reader.address_hash, Suppression.Reason.SOFT_BOUNCE, row, now)
    return _Effect.SETTLED


def _hard_bounce(row: DeliveryEvent, delivery: Delivery, now: datetime) -> _Effect:
    reader = delivery.subscriber
    if row.about_mailbox and reader is not None and not _proved_since(row, reader.pk):
        _hold(delivery)
        _suppress(row.address_hash or reader.address_hash, Suppression.Reason.HARD_BOUNCE, row, now)
    # A bounce of an earlier attempt says nothing of the one that is uncertain now.
    of_this_attempt = Q(attempted_at__lte=row.occurred_at + CLOCK_SKEW)
    return _settle_copy(delivery, State.REJECTED, row.description[:200] or "bounced", of_this_attempt, now)


def _complaint(row: DeliveryEvent, delivery: Delivery, now: datetime) -> _Effect:
    reader = delivery.subscriber
    if reader is not None and not _proved_since(row, reader.pk):
        subscription = _hold(delivery)
        _suppress(row.address_hash or reader.address_hash, Suppression.Reason.COMPLAINT, row, now)
        _leave(subscription, row, "complaint", now)
    return _Effect.SETTLED


def _unsubscribe(row: DeliveryEvent, delivery: Delivery, now: datetime) -> _Effect:
    _leave(_hold(delivery), row, "provider", now)
    return _Effect.SETTLED


def _open(row: DeliveryEvent, delivery: Delivery, now: datetime) -> _Effect:
    """Kept only for a reader who agreed; nobody else's opening is our business, not even as a number."""
    agreed = delivery.subscriber is not None and delivery.subscriber.tracking_consent
    return _Effect.SETTLED if agreed else _Effect.FORGOTTEN


def _click(row: DeliveryEvent, delivery: Delivery, now: datetime) -> _Effect:
    """Counted for the issue; who it was is kept only of a reader who agreed."""
    if delivery.subscriber is None or not delivery.subscriber.tracking_consent:
        row.delivery, row.delivery_uuid, row.remote_id = None, None, ""
    return _Effect.SETTLED


HANDLERS: Final[Mapping[Kind, Callable[[DeliveryEvent, Delivery, datetime], _Effect]]] = {
    Kind.DELIVERED: _delivered,
    Kind.SOFT_BOUNCE: _soft_bounce,
    Kind.HARD_BOUNCE: _hard_bounce,
    Kind.COMPLAINT: _complaint,
    Kind.UNSUBSCRIBE: _unsubscribe,
    Kind.OPEN: _open,
    Kind.CLICK: _click,
}


def _settle_copy(delivery: Delivery, state: State, reason: str, condition: Q, now: datetime) -> _Effect:
    """uncertain -> `state`; a copy that is still on its way may become uncertain, so its event waits."""
    copy = Delivery.objects.filter(pk=delivery.pk)
    if copy.filter(condition, state=State.UNCERTAIN).update(state=state, reason=reason, settled_at=now):
        _lift_exceptions(delivery.issue_id)
        return _Effect.SETTLED
    on_its_way = copy.filter(state__in=[*Delivery.OPEN, State.UNCERTAIN]).exists()
    return _Effect.WAITING if on_its_way else _Effect.SETTLED


def _lift_exceptions(issue_id: int) -> None:
    """A finished issue whose last exception is settled is simply sent. The lock keeps `closing` out meanwhile."""
    issue = Issue.objects.select_for_update().get(pk=issue_id)
    if issue.state != Issue.State.SENT_WITH_EXCEPTIONS:
        return
    if not Delivery.objects.filter(issue_id=issue_id, state__in=Delivery.EXCEPTIONS).exists():
        Issue.objects.filter(pk=issue_id).update(state=Issue.State.SENT, state_reason="")


def _proved_since(row: DeliveryEvent, subscriber_id: int) -> bool:
    """Whether the reader has confirmed after the event: an old report does not undo a newer wish."""
    return Subscription.objects.filter(subscriber_id=subscriber_id, confirmed_at__gt=row.occurred_at).exists()


def _hold(delivery: Delivery) -> Subscription | None:
    """Lock the reader as the engine does (`intents`), so that no intent is committed after this event is."""
    if delivery.subscriber_id is None:
        return None
    held = Subscription.objects.filter(
        subscriber_id=delivery.subscriber_id, newsletter_id=delivery.issue.newsletter_id
    ).select_related("subscriber", "newsletter")
    return held.select_for_update(no_key=True, of=("self", "subscriber")).first()


def _suppress(address_hash: str, reason: Suppression.Reason, row: DeliveryEvent, now: datetime) -> None:
    suppression.suppress_hash(address_hash=address_hash, reason=reason, note=f"reported by {row.provider}", now=now)


def _leave(subscription: Subscription | None, row: DeliveryEvent, reason: str, now: datetime) -> None:
    """Unsubscribe, unless the reader is gone, has left already or has confirmed since."""
    if subscription is None or subscription.state == Subscription.State.UNSUBSCRIBED:
        return
    if subscription.confirmed_at is not None and subscription.confirmed_at > row.occurred_at:
        return
    evidence = consent.Evidence(basis=f"reported by {row.provider}")
    signup.unsubscribe(subscription=subscription, evidence=evidence, reason=reason, now=now)
