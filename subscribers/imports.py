"""Brings a list of readers in: in chunks, with provenance, and without waking anybody who said no.

The file is read three times: to see that all of it is understood, for those who said no, and for the
others. A row that is there already is left as it is, so an import can be repeated or taken up again
after a crash. With a basis (where and how these people agreed) they are confirmed and the basis is
in the consent record; without one they are pending, and a letter that waits to be released asks each.
"""

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from django.contrib.auth.models import AbstractBaseUser
from django.db import reset_queries, transaction

from core import locks
from mailkit import addresses
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import (
    cadence_options,
    consent,
    import_columns,
    import_files,
    import_names,
    import_refusals,
    import_words,
    permissions,
    withdrawals,
)
from subscribers.import_columns import Columns, Verdict
from subscribers.import_encodings import Unreadable
from subscribers.import_report import Report
from subscribers.import_words import Status
from subscribers.letters import queue
from subscribers.models import ConsentEvent, Letter, Newsletter, Subscriber, Subscription, Suppression

CHUNK = 2_000
MAX_ROWS = 1_000_000
# One import at a time writes; any fixed number that no other lock of ours uses.
IMPORT_LOCK: Final = "import"

LEFT = "This reader has left; only they can come back."
SUPPRESSED = "This address must not be mailed; it bounced, complained, was erased or was blocked by hand."
MORE_CELLS = (
    "The line has more cells than the first line, so one cannot tell which column says what. Look for a comma, or "
    "whatever divides the cells, in a text without quotation marks."
)
BETWEEN_ADDRESSES = re.compile(r"[\s,;|\"'<>()]+")
SAID_NO_HERE = "Another line of this file says that this reader must not be mailed, or cannot be read and may say so."
NO_CELL = "The line has fewer cells than the first line names."
LOOKS_LIKE_A_NO = (
    "By its name this is a list of people who must not be mailed, and no column of it says so or otherwise. "
    "Say what holds for them: --everybody left, bounced, complained, blocked, deleted, never or subscribed."
)
# Substack puts such an address in the place of people who asked to be forgotten.
ASKED_TO_BE_DELETED = "The address stands for somebody who asked the old system to be deleted."
DELETION_DOMAIN = "deletion-request.substack.com"


class ImportRefused(ValueError):
    """Nothing was imported; str() says what to change about the file or the command."""


@dataclass(frozen=True, slots=True)
class Row:
    """One readable record of the file."""

    line: int
    address: addresses.Address
    name: str
    verdict: Verdict


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


@dataclass(frozen=True, slots=True)
class Source:
    """A file, and how its columns are meant."""

    table: import_files.Table
    columns: Columns

    def records(self) -> Iterator[import_files.Record]:
        """The records of readers, without the one that names the columns."""
        return itertools.islice(self.table.records(), int(self.columns.is_named), None)


def plan(*, newsletter: Newsletter, cadence: str = "", basis: str = "") -> Plan:
    """What to do with each row; no cadence: the newsletter's own for new readers.

    On failure: ImportRefused, for a cadence that is not offered.
    """
    offered = [value for value, _ in cadence_options.cadences_of(newsletter)]
    if not offered:
        raise ImportRefused(f"{newsletter.name} offers no cadence yet. Add one to it first.")
    chosen = cadence or (offered[0] if len(offered) == 1 else newsletter.default_cadence)
    if chosen not in offered:
        raise ImportRefused(f"Choose one of the cadences that {newsletter.name} offers: {', '.join(offered)}.")
    return Plan(newsletter=newsletter, cadence=chosen, basis=basis.strip())


def open_source(
    *,
    path: Path,
    encoding: str = "",
    address: str = "",
    names: Sequence[str] = (),
    ignored: Sequence[str] = (),
    everybody: Status | None = None,
) -> Source:
    """The columns of a file, and the certainty that every word of its status columns is understood.

    Reads the whole file. `address`, `names` and `ignored` name columns, by their words or their numbers from 1.
    `everybody` is what holds for all people in the file, as for a list of those who left.
    On failure: ImportRefused with a sentence that names the line and the column; OSError.
    """
    if path.exists() and not path.is_file():
        raise ImportRefused("The list must be a plain file, because it is read more than once.")
    try:
        table = import_files.open_table(path, encoding=encoding)
        first = next(table.records(), None)
        if first is None or first.fault:
            raise ImportRefused(f"The first line cannot be read. {first.fault}" if first else "The file is empty.")
        columns = import_columns.recognise(first.cells, address=address, names=names, ignored=ignored)
        columns = import_columns.with_statuses(columns, (record.cells for record in table.records()))
        if everybody is None and not columns.statuses and import_words.NO_FILES.match(import_words.fold(path.stem)):
            raise ImportRefused(LOOKS_LIKE_A_NO)
        source = Source(table, replace(columns, everybody=everybody or Status.YES))
        _check(source)
    except (Unreadable, import_columns.UnknownColumns) as fault:
        raise ImportRefused(str(fault)) from None
    return source


def run(
    *,
    source: Source,
    plan: Plan,
    actor: AbstractBaseUser | None,
    now: datetime,
    dry_run: bool = False,
    on_progress: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Import every record of a source and say what became of each.

    Those who said no come first, so no order of the lines can make a reader of them. Each chunk is a
    transaction of its own, so a crash loses at most the chunk at hand; the chunks of two imports take
    turns, so that the no of one is seen by the other. `dry_run` keeps nothing. The audit log has an entry
    before the first chunk, and one with the numbers after the last: a crash leaves the first alone.
    """
    permissions.require(permissions.CHANGE_NEWSLETTER, user=actor, newsletter=plan.newsletter.pk)
    report, noes = Report(), set[int]()
    if not dry_run:
        _audit(plan, actor, now, finished=False)
    for chunk in _chunks(_rows(source, report, noes, yes=False)):
        with transaction.atomic():
            _take_turns()
            reasons = import_refusals.take(chunk, plan.newsletter, source=plan.source, now=now)
            transaction.set_rollback(dry_run)
        noes.update(map(hash, reasons))
        report.refusals.add_all((row.line, reasons[row.address.key]) for row in chunk)
        report.said_no += len(chunk)
        on_progress(report)
    for chunk in _chunks(_rows(source, report, noes, yes=True)):
        with transaction.atomic():
            _take_turns()
            _take(chunk, plan, report, noes, now)
            transaction.set_rollback(dry_run)
        on_progress(report)
    if not dry_run:
        _audit(plan, actor, now, finished=True, imported=report.imported, said_no=report.said_no)
    return report


@transaction.atomic
def _audit(plan: Plan, actor: AbstractBaseUser | None, now: datetime, *, finished: bool, **numbers: int) -> None:
    detail = {"finished": finished, "basis": plan.basis[:300], "cadence": plan.cadence} | numbers
    audit.record(action=AuditAction.READERS_IMPORTED, actor=actor, target=plan.newsletter, now=now, **detail)


def _take_turns() -> None:
    """One import at a time from here to the end of the transaction. Taken before any row is locked."""
    locks.wait_until_commit(IMPORT_LOCK)


def _check(source: Source) -> None:
    for number, record in enumerate(source.records(), start=1):
        if number > MAX_ROWS:
            raise ImportRefused(f"The file has more than {MAX_ROWS:,} rows. Divide it into parts.")
        try:
            source.columns.check(record.cells)
        except import_columns.UnknownValue as fault:
            raise ImportRefused(f"Line {record.line}: {fault} Nothing was imported.") from None


def _rows(source: Source, report: Report, doubtful: set[int], *, yes: bool) -> Iterator[Row]:
    """The rows that say yes, or all others; those of them that cannot be read go into the report.

    Their addresses go into `doubtful`, as hashes: they may have said no.
    """
    for record in source.records():
        try:
            verdict = source.columns.verdict(record.cells)
            if (verdict.status is Status.YES and not is_doubtful(record, source.columns)) == yes:
                yield _row(record, source.columns, verdict)
        except ValueError as reason:
            report.refusals.add(record.line, str(reason))
            doubtful.update(_addresses(record) if is_doubtful(record, source.columns) else ())


def is_doubtful(record: import_files.Record, columns: Columns) -> bool:
    """Whether one cannot tell what the record says: it has no cells, or some that no column has."""
    return bool(record.fault) or any(cell.strip() for cell in record.cells[len(columns.header) :])


def _addresses(record: import_files.Record) -> Iterator[int]:
    """The hashes of all addresses that stand in a record which cannot be read."""
    for text in BETWEEN_ADDRESSES.split(record.text or " ".join(record.cells)):
        if "@" in text:
            with contextlib.suppress(addresses.InvalidAddress):
                yield hash(addresses.normalise(text).key)


def _row(record: import_files.Record, columns: Columns, verdict: Verdict) -> Row:
    """One row. On failure: ValueError, whose text is the reason for the report."""
    if record.fault:
        raise ValueError(record.fault)
    if verdict.status is Status.YES and is_doubtful(record, columns):
        raise ValueError(MORE_CELLS)
    if columns.address >= len(record.cells):
        raise ValueError(NO_CELL)
    try:
        address = addresses.normalise(record.cells[columns.address])
    except addresses.InvalidAddress as fault:
        raise ValueError(f"Column “{columns.header[columns.address]}”: {fault}") from None
    if address.domain == DELETION_DOMAIN:
        raise ValueError(ASKED_TO_BE_DELETED)
    name = columns.name(record.cells)
    if verdict.status is Status.YES and (wrong := import_names.fault(name)):
        raise ValueError(f"Column “{columns.header[columns.names[0]]}”: {wrong}")
    return Row(record.line, address, name, verdict)


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(itertools.islice(rows, CHUNK)):
        yield chunk
        # With DEBUG, Django would keep every statement of a million rows in memory.
        reset_queries()


def _take(chunk: Sequence[Row], plan: Plan, report: Report, noes: set[int], now: datetime) -> None:
    """Import one chunk inside its transaction. Rows are locked in the order of their keys."""
    rows = {row.address.key: row for row in reversed(chunk)}
    hashes = {key: addresses.keyed_hash(key) for key in sorted(rows)}
    reasons = _kept_out(hashes, plan, noes)
    subscribers = _mailboxes({key: rows[key] for key in rows.keys() - reasons.keys()}, hashes, now)
    present = Subscription.objects.filter(newsletter=plan.newsletter, subscriber__in=subscribers.values())
    states = {
        subscription.subscriber.address_key: subscription for subscription in present.select_related("subscriber")
    }
    reasons |= {key: LEFT for key, subscription in states.items() if _has_left(subscription)}
    fresh = sorted(subscribers.keys() - states.keys())
    _subscribe([subscribers[key] for key in fresh], plan, now)
    report.imported += len(fresh)
    pending = {key for key in states.keys() - reasons.keys() if states[key].state == Subscription.State.PENDING}
    report.unconfirmed += sum(row.address.key in pending for row in chunk)
    report.refusals.add_all((row.line, reasons[row.address.key]) for row in chunk if row.address.key in reasons)
    report.already_there += sum(row.address.key not in reasons for row in chunk) - len(fresh)


def _kept_out(hashes: dict[str, str], plan: Plan, noes: set[int]) -> dict[str, str]:
    """key -> why that person cannot be imported, whatever the file says."""
    # A reader who is leaving at this very moment is waited for, and seen.
    list(Subscriber.objects.select_for_update(no_key=True).filter(address_key__in=hashes).order_by("pk").values("pk"))
    blocked = set(Suppression.objects.filter(address_hash__in=hashes.values()).values_list("address_hash", flat=True))
    left = withdrawals.in_force(address_hashes=list(hashes.values()), newsletter=plan.newsletter)
    reasons: dict[str, str] = {}
    for key, address_hash in hashes.items():
        if hash(key) in noes:
            reasons[key] = SAID_NO_HERE
        elif address_hash in blocked:
            reasons[key] = SUPPRESSED
        elif address_hash in left:
            reasons[key] = LEFT
    return reasons


def _has_left(subscription: Subscription) -> bool:
    """Left, and not come back since by confirming: a request alone, which anybody can make, does not count."""
    return subscription.unsubscribed_at is not None and subscription.state != Subscription.State.CONFIRMED


def _mailboxes(rows: dict[str, Row], hashes: dict[str, str], now: datetime) -> dict[str, Subscriber]:
    """The subscribers of these rows, made where there were none, locked until the transaction ends."""
    Subscriber.objects.bulk_create(
        [
            Subscriber(
                address=rows[key].address.address,
                address_key=key,
                address_hash=hashes[key],
                name=rows[key].name,
                created_at=now,
            )
            for key in sorted(rows)
        ],
        ignore_conflicts=True,
    )
    # In the order in which the engine locks readers.
    locked = Subscriber.objects.select_for_update(no_key=True).filter(address_key__in=rows).order_by("pk")
    return {subscriber.address_key: subscriber for subscriber in locked}


def _subscribe(subscribers: Sequence[Subscriber], plan: Plan, now: datetime) -> None:
    """Seal one act per reader and give them their subscription; those who are asked get a letter that waits."""
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
    subscriptions = Subscription.objects.bulk_create(
        _subscription(subscriber, event, plan, now) for subscriber, event in zip(subscribers, events, strict=True)
    )
    if not plan.is_confirmed:
        queue.hold_many(kind=Letter.Kind.PERMISSION, subscriptions=subscriptions, now=now)


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
