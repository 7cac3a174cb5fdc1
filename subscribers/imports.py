"""Brings a list of readers in: in chunks, with provenance, and without waking anybody who left.

A row that is there already is left as it is, so an import can be repeated or
taken up again after a crash. With a basis (where and how these people agreed)
they are confirmed and the basis stands in the consent record; without one they
are pending, and a letter asks each of them.
"""

import csv
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TextIO

from django.db import transaction

from mailkit import addresses, message
from subscribers import consent, letters, offers
from subscribers.models import ConsentEvent, Letter, Newsletter, Subscriber, Subscription, Suppression

CHUNK = 2_000
MAX_BYTES = 50_000_000
MAX_CELL = 10_000  # characters; csv itself stops at 131,072
ADDRESS_COLUMNS = frozenset({"address", "email", "e-mail", "email address", "e-mail address", "mail"})
NAME_COLUMNS = frozenset({"name", "full name"})

LEFT = "This reader has unsubscribed from the newsletter; only they can come back."
SUPPRESSED = "This address must not be mailed; it bounced, complained, was erased or was blocked by hand."
BAD_NAME = "The name has an invisible character in it or is longer than 120 characters."
BAD_ROW = "The line cannot be read as CSV; look for a quotation mark that is not closed."
NO_CELL = "The line has fewer cells than the first line names."


class ImportRefused(ValueError):
    """Nothing was imported; str() says what to change about the file or the command."""


@dataclass(frozen=True, slots=True)
class Row:
    """One readable line of the file."""

    line: int
    address: addresses.Address
    name: str


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One line that was not imported, and why. The address is not repeated."""

    line: int
    reason: str


@dataclass(slots=True)
class Report:
    """What became of the lines."""

    imported: int = 0
    already_there: int = 0
    refused: list[RefusedRow] = field(default_factory=list)

    @property
    def lines(self) -> int:
        """How many lines of the file were looked at."""
        return self.imported + self.already_there + len(self.refused)


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


def plan(*, newsletter: Newsletter, cadence: str = "", basis: str = "") -> Plan:
    """What to do with each row. On failure: ImportRefused, for a cadence that is not offered."""
    offered = [value for value, _ in offers.cadences_of(newsletter)]
    if not offered:
        raise ImportRefused(f"{newsletter.name} offers no cadence yet. Add one to it first.")
    chosen = cadence or (offered[0] if len(offered) == 1 else "")
    if chosen not in offered:
        raise ImportRefused(f"Choose one of the cadences that {newsletter.name} offers: {', '.join(offered)}.")
    return Plan(newsletter=newsletter, cadence=chosen, basis=basis.strip())


def run(
    *,
    file: TextIO,
    plan: Plan,
    now: datetime,
    dry_run: bool = False,
    on_progress: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Import every row of an open CSV file and say what became of each.

    Each chunk is a transaction of its own, so a crash loses at most the chunk at
    hand. `dry_run` looks at everything and keeps nothing.
    On failure: ImportRefused for a file without a column of addresses.
    """
    report = Report()
    for chunk in _chunks(_rows(file, report)):
        with transaction.atomic():
            _take(chunk, plan, report, now)
            transaction.set_rollback(dry_run)
        on_progress(report)
    report.refused.sort(key=lambda refused: refused.line)
    return report


def _rows(file: TextIO, report: Report) -> Iterator[Row]:
    """The readable rows; every other line goes into the report."""
    lines = _lines(file)
    first = next((line for line in lines if line[1] != []), None)
    if first is None or first[1] is None:
        raise ImportRefused("The file is empty, or its first line cannot be read as CSV.")
    columns = _columns(first[1])
    body: Iterable[tuple[int, list[str] | None]] = itertools.chain([first], lines) if columns.is_body else lines
    for line, cells in body:
        if cells == []:
            continue
        try:
            yield _row(line, cells, columns)
        except (ValueError, addresses.InvalidAddress) as reason:
            report.refused.append(RefusedRow(line, str(reason)))


@dataclass(frozen=True, slots=True)
class _Columns:
    address: int
    name: int | None
    is_body: bool  # the first line is a reader already, not the names of the columns


def _columns(first: Sequence[str]) -> _Columns:
    """Which cell is which. A file without names has the address in its first cell."""
    names = [cell.strip().casefold() for cell in first]
    found = next((place for place, name in enumerate(names) if name in ADDRESS_COLUMNS), None)
    if found is not None:
        return _Columns(found, next((place for place, name in enumerate(names) if name in NAME_COLUMNS), None), False)
    if "@" in first[0]:
        return _Columns(0, None, True)
    raise ImportRefused('The first line must name the columns, and one of them must be "email".')


def _lines(file: TextIO) -> Iterator[tuple[int, list[str] | None]]:
    """Numbered lines; None for one that is not CSV. Commas, semicolons and tabs divide cells.

    Each line is read by itself: a quotation mark that is not closed costs its own
    line and does not swallow the readers that follow.
    """
    csv.field_size_limit(MAX_CELL)
    delimiter = ""
    for number, line in enumerate(file, start=1):
        delimiter = delimiter or max(",;\t", key=line.count)
        try:
            cells = next(csv.reader([line], delimiter=delimiter, strict=True), [])
        except csv.Error:
            yield number, None
            continue
        yield number, cells if any(cell.strip() for cell in cells) else []


def _row(line: int, cells: Sequence[str] | None, columns: _Columns) -> Row:
    """One row. On failure: ValueError or InvalidAddress, whose text is the reason for the report."""
    if cells is None:
        raise ValueError(BAD_ROW)
    if columns.address >= len(cells):
        raise ValueError(NO_CELL)
    name = cells[columns.name].strip() if columns.name is not None and columns.name < len(cells) else ""
    if len(name) > 120:
        raise ValueError(BAD_NAME)
    try:
        message.check_header_text(name)
    except message.UnsafeHeaderText:
        raise ValueError(BAD_NAME) from None
    return Row(line, addresses.normalise(cells[columns.address]), name)


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(itertools.islice(rows, CHUNK)):
        yield chunk


def _take(chunk: Sequence[Row], plan: Plan, report: Report, now: datetime) -> None:
    """Import one chunk inside its transaction. Rows are locked in the order of their keys."""
    rows = {row.address.key: row for row in sorted(chunk, key=lambda row: (row.address.key, row.line))}
    report.already_there += len(chunk) - len(rows)
    hashes = {key: addresses.keyed_hash(key) for key in rows}
    blocked = set(Suppression.objects.filter(address_hash__in=hashes.values()).values_list("address_hash", flat=True))
    for key in [key for key in rows if hashes[key] in blocked]:
        report.refused.append(RefusedRow(rows.pop(key).line, SUPPRESSED))
    subscribers = _mailboxes(rows, hashes, now)
    present = Subscription.objects.filter(newsletter=plan.newsletter, subscriber__in=subscribers.values())
    for subscription in present.select_related("subscriber"):
        row = rows.pop(subscription.subscriber.address_key)
        if _has_left(subscription):
            report.refused.append(RefusedRow(row.line, LEFT))
        else:
            report.already_there += 1
    _subscribe([subscribers[key] for key in rows], plan, now)
    report.imported += len(rows)


def _has_left(subscription: Subscription) -> bool:
    """Left, and not come back since by confirming: a request alone, which anybody can make, does not count."""
    return subscription.unsubscribed_at is not None and subscription.state != Subscription.State.CONFIRMED


def _mailboxes(rows: dict[str, Row], hashes: dict[str, str], now: datetime) -> dict[str, Subscriber]:
    """The subscribers of these rows, made where there were none, locked until the transaction ends."""
    Subscriber.objects.bulk_create(
        [
            Subscriber(
                address=row.address.address,
                address_key=key,
                address_hash=hashes[key],
                name=row.name,
                created_at=now,
            )
            for key, row in rows.items()
        ],
        ignore_conflicts=True,
    )
    locked = Subscriber.objects.select_for_update().filter(address_key__in=rows).order_by("address_key")
    return {subscriber.address_key: subscriber for subscriber in locked}


def _subscribe(subscribers: Sequence[Subscriber], plan: Plan, now: datetime) -> None:
    """Seal one act per reader and give them their subscription; those who are asked get a letter."""
    acts = [
        consent.Act(
            kind=ConsentEvent.Kind.IMPORTED,
            subscriber_uuid=subscriber.uuid,
            address_hash=subscriber.address_hash,
            newsletter_slug=plan.newsletter.slug,
            cadence=plan.cadence,
        )
        for subscriber in subscribers
    ]
    events = consent.append(acts=acts, evidence=consent.Evidence(basis=plan.basis, source=plan.source), now=now)
    made = Subscription.objects.bulk_create(
        _subscription(subscriber, event, plan, now) for subscriber, event in zip(subscribers, events, strict=True)
    )
    if not plan.is_confirmed:
        letters.queue_many(kind=Letter.Kind.PERMISSION, subscriptions=made, now=now)


def _subscription(subscriber: Subscriber, event: ConsentEvent, plan: Plan, now: datetime) -> Subscription:
    state = Subscription.State.CONFIRMED if plan.is_confirmed else Subscription.State.PENDING
    return Subscription(
        subscriber=subscriber,
        newsletter=plan.newsletter,
        cadence=plan.cadence,
        state=state,
        consent_event=event if plan.is_confirmed else None,
        confirmed_at=now if plan.is_confirmed else None,
        requested_at=now,
    )
