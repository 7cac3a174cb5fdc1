"""Find the copy or letter that an event is about, for many events in few queries."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from digests.feedback import events
from digests.models import Delivery, DeliveryEvent
from subscribers.models import Letter


@dataclass(frozen=True, slots=True)
class Matches:
    """The copies and letters of some events, by the event's id."""

    copies: Mapping[int, Delivery]
    letters: Mapping[int, Letter]

    def knows(self, row: DeliveryEvent) -> bool:
        """Whether the event's copy or letter is there."""
        return row.pk in self.copies or row.pk in self.letters


def find(rows: Sequence[DeliveryEvent]) -> Matches:
    """The copy, or else the letter, of each event that has one.

    It is found by the uuid in our metadata, by our Message-ID, or by the provider's id if that names one copy.
    The number of queries is the same for one event as for a thousand.
    """
    ours = {row.pk: _uuids(row) for row in rows}
    by_uuid = {copy.uuid: copy for copy in _copies().filter(uuid__in=_all(ours.values()))}
    # The last match wins, so the uuid from our metadata comes last.
    copies = {pk: by_uuid[one] for pk, named in ours.items() for one in reversed(named) if one in by_uuid}
    copies |= _by_remote_id([row for row in rows if row.remote_id and row.pk not in copies])
    left = {pk: named for pk, named in ours.items() if named and pk not in copies}
    letters = {
        one.uuid: one for one in Letter.objects.filter(uuid__in=_all(left.values())).select_related("subscriber")
    }
    matched = {pk: letters[one] for pk, named in left.items() for one in named if one in letters}
    return Matches(copies=copies, letters=matched)


def _copies() -> QuerySet[Delivery]:
    """Copies with the columns that are needed, their readers and issues, for hundreds at a time."""
    copies = Delivery.objects.select_related("subscriber").prefetch_related("issue")
    return copies.only(
        "uuid",
        "issue",
        "state",
        "reason",
        "variant",
        "remote_id",
        "attempted_at",
        "subscriber__uuid",
        "subscriber__address_hash",
        "subscriber__address_key",
        "subscriber__tracking_consent",
    )


def _by_remote_id(rows: Sequence[DeliveryEvent]) -> dict[int, Delivery]:
    """By the provider's id among the copies of the mailbox: one batch has one id for all of its copies.

    The ids have no index (`models.Delivery.Meta`), the mailboxes do.
    """
    wanted = {row.pk: (row.remote_id, row.address_hash) for row in rows if row.address_hash}
    if not wanted:
        return {}
    ids, hashes = zip(*wanted.values(), strict=True)
    named: dict[tuple[str, str], list[Delivery]] = defaultdict(list)
    for copy in _copies().filter(subscriber__address_hash__in=set(hashes), remote_id__in=set(ids)):
        named[copy.remote_id, copy.subscriber.address_hash if copy.subscriber else ""].append(copy)
    return {pk: named[key][0] for pk, key in wanted.items() if len(named.get(key, ())) == 1}


def _uuids(row: DeliveryEvent) -> list[uuid.UUID]:
    """Every uuid in the event, the one from our metadata first."""
    given = [row.delivery_uuid] if row.delivery_uuid else []
    return given + events.uuids_in(row.remote_id)


def _all(named: Iterable[Iterable[uuid.UUID]]) -> set[uuid.UUID]:
    return {one for some in named for one in some}
