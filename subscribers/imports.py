"""Brings a list of readers in: in portions, with provenance, and without waking anybody who said no.

The file is read several times: to see that all of it is understood, for those who said no, and for the
others. A row that is there already is left as it is, so an import can be repeated; one that was killed
goes on behind its last portion (`import_checkpoint`). With a basis (where and how these people agreed) they are
confirmed and the basis is in the consent record; without one they are pending, and a letter that waits to be
released asks each.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from django.contrib.auth.models import AbstractBaseUser
from django.db import reset_queries, transaction

from core import locks
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import (
    cadence_options,
    import_checkpoint,
    import_columns,
    import_files,
    import_reading,
    import_refusals,
    import_storing,
    import_words,
    permissions,
)
from subscribers.import_encodings import Unreadable
from subscribers.import_keys import KeySet
from subscribers.import_reading import Portion, Row, Source
from subscribers.import_report import Report
from subscribers.import_storing import LEFT, SAID_NO_HERE, SUPPRESSED, Plan
from subscribers.import_words import Status
from subscribers.models import ImportCheckpoint, Newsletter

__all__ = ["LEFT", "SAID_NO_HERE", "SUPPRESSED", "ImportRefused", "Plan", "Source", "open_source", "plan", "run"]

MAX_ROWS = 1_000_000
# One import at a time writes; any fixed number that no other lock of ours uses.
IMPORT_LOCK: Final = "import"

LOOKS_LIKE_A_NO = (
    "By its name this is a list of people who must not be mailed, and no column of it says so or otherwise. "
    "Say what holds for them: --everybody left, bounced, complained, blocked, deleted, never or subscribed."
)


class ImportRefused(ValueError):
    """Nothing was imported; str() says what to change about the file or the command."""


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
        source = replace(source, count=_checked(source))
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

    Those who said no come first, so no order of the lines can make a reader of them. Each portion is a
    transaction of its own, with how far it came, so the same import after a crash goes on where it was; the
    portions of two imports take turns, so that the no of one is seen by the other. `dry_run` keeps nothing. The
    audit log has an entry before the first portion, and one with the numbers after the last.
    """
    permissions.require(permissions.CHANGE_NEWSLETTER, user=actor, newsletter=plan.newsletter.pk)
    with _begun(source, plan, actor, now, dry_run=dry_run) as run:
        for _ in run.take_noes():
            on_progress(run.report)
        run.report.begin()
        for _ in run.take_others():
            on_progress(run.report)
        if not dry_run:
            run.end(actor)
    return run.report


@contextlib.contextmanager
def _begun(
    source: Source, plan: Plan, actor: AbstractBaseUser | None, now: datetime, *, dry_run: bool
) -> Iterator["_Run"]:
    """A run from its beginning, or from where the last one was interrupted."""
    report = Report(total=source.count)
    if dry_run:
        yield _Run(source, plan, now, report, dry_run=True)
        return
    with import_checkpoint.of(source, plan, now=now) as checkpoint:
        if checkpoint is not None:
            import_checkpoint.restore(checkpoint, report)
        if not report.resumed:
            _audit(plan, actor, now, finished=False)
        yield _Run(source, plan, now, report, checkpoint=checkpoint)


class _Run:
    """One import on its way: what is known of the file so far, and what became of its records."""

    def __init__(
        self,
        source: Source,
        plan: Plan,
        now: datetime,
        report: Report,
        *,
        checkpoint: ImportCheckpoint | None = None,
        dry_run: bool = False,
    ) -> None:
        self.report = report
        self._source, self._plan, self._now = source, plan, now
        self._checkpoint, self._dry_run = checkpoint, dry_run
        # Of those who said no, or may have, in this file; and of those whom a dry run would have imported.
        self._noes, self._would_be = KeySet(), KeySet()

    def take_noes(self) -> Iterator[None]:
        """Keep the no of all who said one. Those of an interrupted run are only read again."""
        is_done = self._checkpoint is not None and self._checkpoint.noes_are_done
        stop = None if is_done else self._checkpoint.position if self._checkpoint else 0
        if stop != 0:
            for portion in import_reading.portions(self._source, yes=False, stop=stop):
                self._know(portion)
        if is_done:
            return
        for portion in import_reading.portions(self._source, yes=False, start=stop or 0):
            self._know(portion)
            with self._portion(portion) as refused:
                for rows in _once_each(portion.rows):
                    reasons = import_refusals.take(
                        rows, self._plan.newsletter, source=self._plan.source, now=self._now
                    )  # fmt: skip
                    refused.extend((row.line, reasons[row.address.key]) for row in rows)
                self.report.said_no += len(portion.rows)
            yield
        if self._checkpoint:
            import_checkpoint.turn(self._checkpoint)

    def take_others(self) -> Iterator[None]:
        """Import those who said yes, and nothing else."""
        start = self._checkpoint.position if self._checkpoint else 0
        for portion in import_reading.portions(self._source, yes=True, start=start):
            with self._portion(portion) as refused:
                self._take(portion.rows, refused)
            yield

    def _take(self, rows: Sequence[Row], refused: list[tuple[int, str]]) -> None:
        new = [row for row in rows if row.address.key not in self._would_be] if self._dry_run else rows
        outcome = import_storing.take(new, self._plan, noes=self._noes, now=self._now, dry_run=self._dry_run)
        again = len(rows) - len(new)
        refused.extend(outcome.refused)
        self.report.imported += len(outcome.fresh)
        self.report.already_there += outcome.already_there + again
        self.report.unconfirmed += outcome.unconfirmed + (0 if self._plan.is_confirmed else again)
        if self._dry_run:
            self._would_be.update(outcome.fresh)

    @contextlib.contextmanager
    def _portion(self, portion: Portion) -> Iterator[list[tuple[int, str]]]:
        """The transaction of a portion: what it refuses, in the order of the file, and how far the run is now."""
        refused = list(portion.refused)
        with transaction.atomic():
            # One import at a time from here to the commit. Taken before any row is locked.
            locks.wait_until_commit(IMPORT_LOCK)
            yield refused
            refused.sort()
            if self._checkpoint:
                import_checkpoint.move(
                    self._checkpoint, report=self.report, refused=refused, position=portion.position, now=self._now
                )
            transaction.set_rollback(self._dry_run)
        self.report.refusals.add_all(refused)
        # With DEBUG, Django would keep every statement of a million rows in memory.
        reset_queries()

    def _know(self, portion: Portion) -> None:
        self._noes.update(row.address.key for row in portion.rows)
        self._noes.update(portion.doubtful)

    @transaction.atomic
    def end(self, actor: AbstractBaseUser | None) -> None:
        """The last entry of the audit log; the next import of the same file begins at its first record."""
        report = self.report
        _audit(self._plan, actor, self._now, finished=True, imported=report.imported, said_no=report.said_no)
        if self._checkpoint:
            self._checkpoint.delete()


@transaction.atomic
def _audit(plan: Plan, actor: AbstractBaseUser | None, now: datetime, *, finished: bool, **numbers: int) -> None:
    detail = {"finished": finished, "basis": plan.basis[:300], "cadence": plan.cadence} | numbers
    audit.record(action=AuditAction.READERS_IMPORTED, actor=actor, target=plan.newsletter, now=now, **detail)


def _once_each(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows, divided so that no reader is in a part twice: each row is judged after those before it."""
    while rows:
        firsts = {row.address.key: row for row in reversed(rows)}
        yield sorted(firsts.values(), key=lambda row: row.line)
        rows = [row for row in rows if firsts[row.address.key] is not row] if len(firsts) < len(rows) else []


def _checked(source: Source) -> int:
    """How many records there are, all of which say something that is understood."""
    number = 0
    for number, record in enumerate(source.records(), start=1):
        if number > MAX_ROWS:
            raise ImportRefused(f"The file has more than {MAX_ROWS:,} rows. Divide it into parts.")
        try:
            source.columns.check(record.cells)
        except import_columns.UnknownValue as fault:
            raise ImportRefused(f"Line {record.line}: {fault} Nothing was imported.") from None
    return number
