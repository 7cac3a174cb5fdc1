"""Which copy or letter an event is about, for many events in few queries."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from digests import events
from digests.models import Delivery, DeliveryEvent
from subscribers.models import Letter


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of some events, by the event's id."""

    copies: Mapping[int, Delivery]
    letters: Mapping[int, Letter]


def find(rows: Sequence[DeliveryEvent]) -> Found:
    """The copy, or else the letter, of each event that has one.

    By the uuid that we gave along, by our Message-ID, or by the provider's id where that names one copy.
    The same queries for one event as for a thousand, save for ids that name copies of ours.
    """
    ours = {row.pk: _uuids(row) for row in rows}
    by_uuid = {copy.uuid: copy for copy in _copies().filter(uuid__in=_all(ours.values()))}
    copies = {pk: by_uuid[one] for pk, named in ours.items() for one in reversed(named) if one in by_uuid}
    copies |= _by_remote_id([row for row in rows if row.remote_id and row.pk not in copies])
    left = {pk: named for pk, named in ours.items() if named and pk not in copies}
    letters = {
        one.uuid: one for one in Letter.objects.filter(uuid__in=_all(left.values())).select_related("subscriber")
    }
    found = {pk: letters[one] for pk, named in left.items() for one in named if one in letters}
    return Found(copies=copies, letters=found)


def _copies() -> QuerySet[Delivery]:
    return Delivery.objects.select_related("subscriber", "issue").defer("issue__introduction")


def _by_remote_id(rows: Sequence[DeliveryEvent]) -> dict[int, Delivery]:
    """Of what another sender's provider reports nothing is ours, and one query says so."""
    named = Delivery.objects.filter(remote_id__in={row.remote_id for row in rows}).exclude(remote_id="")
    known = set(named.order_by().values_list("remote_id", flat=True).distinct()) if rows else set()
    found = ((row.pk, _named_by(row)) for row in rows if row.remote_id in known)
    return {pk: copy for pk, copy in found if copy is not None}


def _named_by(row: DeliveryEvent) -> Delivery | None:
    """A batch has one id for all its copies: it names one of them only together with the mailbox."""
    copies = _copies().filter(remote_id=row.remote_id)
    named = list(copies[:2])
    if len(named) > 1 and row.address_hash:
        named = list(copies.filter(subscriber__address_hash=row.address_hash)[:2])
    return named[0] if len(named) == 1 else None


def _uuids(row: DeliveryEvent) -> list[uuid.UUID]:
    """Every uuid that the event names, the one we gave along first."""
    given = [row.delivery_uuid] if row.delivery_uuid else []
    return given + events.uuids_in(row.remote_id)


def _all(named: Iterable[Iterable[uuid.UUID]]) -> set[uuid.UUID]:
    return {one for some in named for one in some}
