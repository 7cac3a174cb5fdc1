"""Reads the records of a list in portions, without the database: rows that can be read, and why the others cannot.

The addresses go through the one normaliser that sign-up uses (`mailkit.addresses`).
"""

import contextlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from mailkit import addresses
from subscribers import import_files, import_names
from subscribers.import_columns import Columns, Verdict
from subscribers.import_words import Status

# Small enough that the consent chain is held for a moment only, large enough that a commit costs little.
PORTION: Final = 5_000  # rows
# Records that a portion looks through at most, so that an import of few noes among many is heard of.
LOOKED_THROUGH: Final = 50_000

MORE_CELLS = (
    "The line has more cells than the first line, so one cannot tell which column says what. Look for a comma, or "
    "whatever divides the cells, in a text without quotation marks."
)
BETWEEN_ADDRESSES = re.compile(r"[\s,;|\"'<>()]+")
NO_CELL = "The line has fewer cells than the first line names."
# Substack puts such an address in the place of people who asked to be forgotten.
ASKED_TO_BE_DELETED = "The address stands for somebody who asked the old system to be deleted."
DELETION_DOMAIN = "deletion-request.substack.com"


@dataclass(frozen=True, slots=True)
class Row:
    """One readable record of the file."""

    line: int
    address: addresses.Address
    name: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Source:
    """A file, and how its columns are meant."""

    table: import_files.Table
    columns: Columns
    # How many records it has.
    count: int = 0

    def records(self) -> Iterator[import_files.Record]:
        """The records of readers, without the one that names the columns."""
        return itertools.islice(self.table.records(), int(self.columns.is_named), None)


@dataclass(slots=True)
class Portion:
    """Some records in the order of the file: those that can be read, and what is wrong with others.

    `position` is how many records of the file are behind its end, so that a later reading may begin there.
    """

    position: int
    rows: list[Row] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    # Keys of addresses in records that one cannot read: they may have said no.
    doubtful: list[str] = field(default_factory=list)


def portions(source: Source, *, yes: bool, start: int = 0, stop: int | None = None) -> Iterator[Portion]:
    """The rows that say yes, or all others, of the records from `start` to `stop`. A portion may have none."""
    portion, begin = Portion(start), start
    for position, record in enumerate(itertools.islice(source.records(), start, stop), start=start + 1):
        _read(record, source.columns, portion, yes=yes)
        portion.position = position
        if len(portion.rows) >= PORTION or position - begin >= LOOKED_THROUGH:
            yield portion
            portion, begin = Portion(position), position
    if portion.position > begin:
        yield portion


def _read(record: import_files.Record, columns: Columns, portion: Portion, *, yes: bool) -> None:
    is_unclear = is_doubtful(record, columns)
    try:
        verdict = columns.verdict(record.cells)
        if (verdict.status is Status.YES and not is_unclear) == yes:
            portion.rows.append(_row(record, columns, verdict, is_unclear=is_unclear))
    except ValueError as reason:
        portion.refused.append((record.line, str(reason)))
        if is_unclear:
            portion.doubtful.extend(_keys(record))


def is_doubtful(record: import_files.Record, columns: Columns) -> bool:
    """Whether one cannot tell what the record says: it has no cells, or some that no column has."""
    if len(record.cells) <= len(columns.header):
        return bool(record.fault)
    return bool(record.fault) or any(cell.strip() for cell in record.cells[len(columns.header) :])


def _keys(record: import_files.Record) -> Iterator[str]:
    """The keys of all addresses that stand in a record which cannot be read."""
    for text in BETWEEN_ADDRESSES.split(record.text or " ".join(record.cells)):
        if "@" in text:
            with contextlib.suppress(addresses.InvalidAddress):
                yield addresses.normalise(text).key


def _row(record: import_files.Record, columns: Columns, verdict: Verdict, *, is_unclear: bool) -> Row:
    """One row. On failure: ValueError, whose text is the reason for the report."""
    if record.fault:
        raise ValueError(record.fault)
    if verdict.status is Status.YES and is_unclear:
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
