"""Store delivery events of providers and mail servers, each once.

An event is stored before it is processed, once per provider's event id (an inbox table). The row has only what
processing needs: no address, no network address, no browser. `correlation` finds its copy, `handlers` apply it,
and `processing` runs them soon after.
"""

import json
import logging
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from anymail.signals import EventType, RejectReason
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.utils import timezone

from core import prepared_statements
from digests.models import DeliveryEvent
from mailkit import addresses
from postal import bounces, payloads
from postal.bounces import Bounce

log = logging.getLogger(__name__)

Kind = DeliveryEvent.Kind

# Anymail's event type -> ours. The other types (queued, sent, autoresponded, subscribed, inbound, unknown) have no
# effect. A bounce may be classified as soft by `postal.bounces`.
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

# The metadata key under which a provider gets a copy's uuid. It repeats it in every event.
METADATA_KEY: Final = "delivery"

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


# One statement and one commit, however many events a request holds.
STORE = """
INSERT INTO digests_deliveryevent (provider, event_id, kind, delivery_uuid, remote_id, address_hash, about_mailbox,
    gave_up, description, occurred_at, received_at, due_at)
SELECT provider, event_id, kind, delivery_uuid, remote_id, address_hash, about_mailbox,
    gave_up, description, occurred_at, received_at, received_at
FROM jsonb_to_recordset(%s::jsonb) AS event (provider text, event_id text, kind text, delivery_uuid uuid,
    remote_id text, address_hash text, about_mailbox bool, gave_up bool, description text, occurred_at timestamptz,
    received_at timestamptz)
ON CONFLICT DO NOTHING RETURNING id
"""


class NotStored(Exception):
    """At least one event of a request could not be stored; the others are."""


def store(*, events: Sequence[TrackingEvent], provider: str, now: datetime) -> list[int]:
    """Store a provider's events, each once, before they are processed.

    After: a committed row for each relevant event; returns the ids of the new rows. No content of an event makes
    it raise. On failure: NotStored if an event could not be read or stored, after the others were stored. If the
    database is away it raises, and nothing is stored.
    """
    name = provider_name(provider)
    rows = [_row(event, name, now) for event in events]
    known = [row for row in rows if row]
    # In a fixed order, or two requests with the same events could deadlock.
    known.sort(key=lambda row: str(row["event_id"]))
    stored, failed = _insert(known)
    if failed or None in rows:
        raise NotStored
    return stored


def _insert(rows: list[dict[str, object]]) -> tuple[list[int], int]:
    """The ids of the new rows, and how many events could not be stored. One of these does not stop the others."""
    if not rows:
        return [], 0
    try:
        return _send(json.dumps(rows, default=str)), 0
    except (OperationalError, InterfaceError):
        raise
    except DatabaseError:
        if len(rows) == 1:
            log.exception("an event of %s could not be stored", rows[0]["provider"])
            return [], 1
    alone = [_insert([row]) for row in rows]
    return [pk for stored, _ in alone for pk in stored], sum(failed for _, failed in alone)


def _send(rows: str) -> list[int]:
    """Run STORE as a prepared statement. A connection that broke since its last use is replaced.

    A repeated insert is harmless, so the connection need not be tested first.
    """
    try:
        return [pk for (pk,) in prepared_statements.rows(STORE, [rows])]
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()
        return [pk for (pk,) in prepared_statements.rows(STORE, [rows])]


def provider_name(name: str) -> str:
    """`Amazon SES`, `amazon-ses` and `amazon_ses` are one provider."""
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def uuids_in(message_id: str) -> list[uuid.UUID]:
    """Every uuid in a Message-ID; our own have one."""
    return [uuid.UUID(match) for match in _UUID.findall(message_id)]


def _row(event: TrackingEvent, provider: str, now: datetime) -> dict[str, object] | None:
    """The event as a row; empty for an irrelevant kind, None if it cannot be read."""
    try:
        kind = _kind(event, provider)
        if kind is not None:
            return _facts(event, kind, provider, now)
        log.info("%s reported %s, which has no effect", provider, _text(event.event_type, 40))
    except Exception:
        log.exception("an event of %s could not be read", provider)
        return None
    return {}


def _kind(event: TrackingEvent, provider: str) -> Kind | None:
    """The kind of the event; None if it is irrelevant."""
    kind = KINDS.get(event.event_type)
    if kind in {None, Kind.HARD_BOUNCE}:
        act = payloads.reader_act(provider=provider, payload=event.esp_event)
        if act is None and event.event_type == EventType.REJECTED and event.reject_reason == RejectReason.UNSUBSCRIBED:
            act = "unsubscribe"
        return Kind(act) if act else kind
    return kind


def _facts(event: TrackingEvent, happened: Kind, provider: str, now: datetime) -> dict[str, Any]:
    text = f"{event.mta_response or ''} {event.description or ''}".strip()
    kind, about_mailbox = happened, False
    if kind == Kind.HARD_BOUNCE:
        bounce = _bounce(event, provider)
        kind, about_mailbox = (kind if bounce.hard else Kind.SOFT_BOUNCE), bounce.about_mailbox
    return {
        "provider": provider[:40],
        "event_id": _event_id(event, provider),
        "kind": kind,
        "delivery_uuid": _uuid(event),
        "remote_id": _text(event.message_id, 200, masked=False),
        "address_hash": _address_hash(event.recipient),
        "about_mailbox": about_mailbox,
        "gave_up": happened == Kind.HARD_BOUNCE,
        "description": _text(text, 300),
        "occurred_at": _occurred_at(event, now),
        "received_at": now,
    }


def _bounce(event: TrackingEvent, provider: str) -> Bounce:
    """The classified bounce; a returned mail was classified by `ingestion`."""
    if isinstance(event.esp_event, Bounce):
        return event.esp_event
    return bounces.classify(
        provider=provider,
        reject_reason=event.reject_reason,
        reply=str(event.mta_response or ""),
        description=str(event.description or ""),
        payload=event.esp_event,
    )


def _event_id(event: TrackingEvent, provider: str) -> str:
    """The provider's id, or else a hash of the facts that identify the event."""
    given = _text(event.event_id, 400, masked=False)
    if given and len(given) <= 200:
        return given
    essentials = (event.event_type, event.message_id, _uuid(event), event.recipient, event.timestamp, event.click_url)
    return addresses.keyed_hash(
        "\n".join([provider, given, *(_text(part, 2_000, masked=False) for part in essentials)])
    )


def _uuid(event: TrackingEvent) -> uuid.UUID | None:
    metadata = event.metadata if isinstance(event.metadata, Mapping) else {}
    match = _UUID.fullmatch(str(metadata.get(METADATA_KEY, "")))
    return uuid.UUID(match[0]) if match else None


def _address_hash(recipient: object) -> str:
    try:
        return addresses.keyed_hash(addresses.normalise(str(recipient or "")).key)
    except addresses.InvalidAddress:
        return ""


def _occurred_at(event: TrackingEvent, now: datetime) -> datetime:
    """The time of the event, but not in the future: a later act of the reader must win."""
    moment = event.timestamp if isinstance(event.timestamp, datetime) else now
    return min(moment if timezone.is_aware(moment) else moment.replace(tzinfo=UTC), now)


def _text(value: object, length: int, *, masked: bool = True) -> str:
    """Foreign text that a column can hold: no NUL, no lone surrogate, and addresses masked by default."""
    text = _UNPRINTABLE.sub(" ", str(value or "")[: length * 4]).encode(errors="replace").decode()
    return (_ADDRESS.sub("…@…", text) if masked else text).strip()[:length]
