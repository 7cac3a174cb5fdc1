"""Stores the rows of a list that say yes: a portion at a time, by COPY, with a reason for each row that stays out."""

import contextlib
import uuid
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import IntegrityError, transaction

from mailkit import addresses, characters
from publication import bulk_rows
from publication.bulk_rows import any_of
from subscribers import consent, suppression, withdrawals
from subscribers.import_reading import Row
from subscribers.letters import queue
from subscribers.models import ConsentEvent, Letter, Newsletter, Subscriber, Subscription

LEFT = "This reader has left; only they can come back."
SUPPRESSED = "This address must not be mailed; it bounced, complained, was erased or was blocked by hand."
SAID_NO_HERE = "Another line of this file says that this reader must not be mailed, or cannot be read and may say so."

# Primary key and uuid of a subscriber.
Mailbox = tuple[int, uuid.UUID]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import does with every row of its file."""

    newsletter: Newsletter
    cadence: str
    basis: str = ""
    source: str = "import"

    @property
    def is_confirmed(self) -> bool:
        """With a basis the readers are confirmed, without one they are asked."""
        return bool(self.basis)


@dataclass(slots=True)
class Outcome:
    """What became of the rows of a portion."""

    fresh: list[str] = field(default_factory=list)
    already_there: int = 0
    unconfirmed: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


def take(rows: Sequence[Row], plan: Plan, *, noes: Container[str], now: datetime, dry_run: bool = False) -> Outcome:
    """Import these rows, or with `dry_run` say only what would become of them. Must run inside a transaction.

    `noes` are the keys of those who said no in the file. Readers are locked in the order in which the engine does.
    """
    with contextlib.suppress(IntegrityError), transaction.atomic():
        return _take(rows, plan, noes, now, dry_run=dry_run)
    # Somebody signed up between our look and the COPY, which waited for them. Seldom, so all go the slower way.
    _make_or_find(rows, plan, noes, now)
    return _take(rows, plan, noes, now, dry_run=dry_run)


def _take(rows: Sequence[Row], plan: Plan, noes: Container[str], now: datetime, *, dry_run: bool) -> Outcome:
    by_key = {row.address.key: row for row in reversed(rows)}
    hashes = {key: addresses.keyed_hash(key) for key in sorted(by_key)}
    # A reader who is leaving at this very moment is waited for, and seen.
    mailboxes = _locked(hashes)
    reasons = _kept_out(hashes, plan, noes)
    present = _present(mailboxes, plan)
    reasons |= {key: LEFT for key, (_, has_left) in present.items() if has_left and key not in reasons}
    fresh = [key for key in hashes if key not in reasons and key not in present]
    if not dry_run:
        newcomers = _newcomers({key: by_key[key] for key in fresh if key not in mailboxes}, hashes, now)
        _subscribe([(*(mailboxes.get(key) or newcomers[key]), hashes[key]) for key in fresh], plan, now)
    waiting = {key for key, (state, _) in present.items() if state == Subscription.State.PENDING and key not in reasons}
    if not plan.is_confirmed:
        waiting |= set(fresh)
    there = [row.address.key for row in rows if row.address.key not in reasons]
    # The first row of each fresh reader is the one that is imported.
    return Outcome(
        fresh=fresh,
        already_there=len(there) - len(fresh),
        unconfirmed=sum(key in waiting for key in there) - (0 if plan.is_confirmed else len(fresh)),
        refused=[(row.line, reasons[row.address.key]) for row in rows if row.address.key in reasons],
    )


def _locked(hashes: Mapping[str, str]) -> dict[str, Mailbox]:
    """Those of the keys that are subscribers, locked until the transaction ends."""
    rows = Subscriber.objects.select_for_update(no_key=True).filter(any_of("address_key", hashes.keys())).order_by("pk")
    return {key: (pk, name) for key, pk, name in rows.values_list("address_key", "pk", "uuid")}


def _kept_out(hashes: Mapping[str, str], plan: Plan, noes: Container[str]) -> dict[str, str]:
    """key -> why that person cannot be imported, whatever the file says."""
    blocked = suppression.among(address_hashes=hashes.values())
    left = withdrawals.in_force(address_hashes=hashes.values(), newsletter=plan.newsletter)
    reasons: dict[str, str] = {}
    for key, address_hash in hashes.items():
        if key in noes:
            reasons[key] = SAID_NO_HERE
        elif address_hash in blocked:
            reasons[key] = SUPPRESSED
        elif address_hash in left:
            reasons[key] = LEFT
    return reasons


def _present(mailboxes: Mapping[str, Mailbox], plan: Plan) -> dict[str, tuple[str, bool]]:
    """key -> the state of those who have a subscription, and whether they left and did not come back.

    They come back by confirming: a request alone, which anybody can make, does not count.
    """
    keys = {pk: key for key, (pk, _) in mailboxes.items()}
    if not keys:
        return {}
    rows = Subscription.objects.filter(any_of("subscriber_id", keys), newsletter=plan.newsletter)
    return {
        keys[subscriber]: (state, unsubscribed_at is not None and state != Subscription.State.CONFIRMED)
        for subscriber, state, unsubscribed_at in rows.values_list("subscriber_id", "state", "unsubscribed_at")
    }


def _newcomers(rows: Mapping[str, Row], hashes: Mapping[str, str], now: datetime) -> dict[str, Mailbox]:
    """New subscribers for these keys."""
    if not rows:
        return {}
    ids = bulk_rows.reserve(model=Subscriber, count=len(rows))
    newcomers = {key: (pk, uuid.uuid4()) for key, pk in zip(rows, ids, strict=True)}
    values = [
        (pk, str(name), rows[key].address.address, key, hashes[key], characters.line(rows[key].name))
        for key, (pk, name) in newcomers.items()
    ]
    columns = ("id", "uuid", "address", "address_key", "address_hash", "name")
    bulk_rows.copy_in(example=Subscriber(created_at=now), varying=columns, rows=values)
    return newcomers


def _make_or_find(rows: Sequence[Row], plan: Plan, noes: Container[str], now: datetime) -> None:
    """Make the subscribers of these rows one by one, waiting for those whom others make at this moment."""
    by_key = {row.address.key: row for row in reversed(rows)}
    hashes = {key: addresses.keyed_hash(key) for key in sorted(by_key)}
    reasons = _kept_out(hashes, plan, noes)
    newcomers = [
        Subscriber(
            address=by_key[key].address.address, address_key=key, address_hash=address_hash, name=by_key[key].name,
            created_at=now,
        )
        for key, address_hash in hashes.items()
        if key not in reasons
    ]  # fmt: skip
    Subscriber.objects.bulk_create(newcomers, ignore_conflicts=True)


def _subscribe(people: Sequence[tuple[int, uuid.UUID, str]], plan: Plan, now: datetime) -> None:
    """Seal one act per reader and give them their subscription; those who are asked get a letter that waits."""
    events = consent.append_alike(
        kind=ConsentEvent.Kind.IMPORTED,
        newsletter_slug=plan.newsletter.slug,
        cadence=plan.cadence,
        people=[(name, address_hash, plan.basis) for _, name, address_hash in people],
        evidence=consent.Evidence(source=plan.source),
        now=now,
    )
    example = Subscription(newsletter=plan.newsletter, cadence=plan.cadence, requested_at=now)
    columns: tuple[str, ...] = ("id", "uuid", "subscriber_id")
    if plan.is_confirmed:
        example.state, example.confirmed_at = Subscription.State.CONFIRMED, now
        columns = (*columns, "consent_event_id")
    ids = bulk_rows.reserve(model=Subscription, count=len(people))
    rows = [
        (pk, str(uuid.uuid4()), subscriber, *((event,) if plan.is_confirmed else ()))
        for pk, (subscriber, _, _), event in zip(ids, people, events, strict=True)
    ]
    bulk_rows.copy_in(example=example, varying=columns, rows=rows)
    if not plan.is_confirmed:
        held = [(pk, subscriber) for pk, _, subscriber, *_rest in rows]
        queue.hold_many(kind=Letter.Kind.PERMISSION, subscriptions=held, now=now)
