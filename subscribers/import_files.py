"""Reads the CSV files of other systems, record by record and as often as asked (RFC 4180).

A quoted cell may hold line ends.
"""

import csv
import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from core import csv_export
from subscribers import import_encodings
from subscribers.import_encodings import Unreadable

LONGEST_RECORD = 1_000  # lines; a quoted cell that goes on for longer was never closed
LONGEST_CELL = 131_072  # characters
LONGEST_LINE = 1 << 20  # characters; no record is as long
LOOKED_AT = 3  # lines, to find the delimiter
DELIMITERS = ",;\t|"
SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?\s*', re.IGNORECASE)
QUOTED = re.compile(r'"[^"]*"')

NOT_CLOSED = "A quotation mark that begins here is not closed."
NOT_CSV = "The line cannot be read as CSV; look for a quotation mark that is not closed or not doubled."


@dataclass(frozen=True, slots=True)
class Record:
    """One record: the number of its first line and its cells, or the reason why there are none and its text."""

    line: int
    cells: tuple[str, ...] = ()
    fault: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file whose encoding, delimiter and first record are known. `records` begins again at each call."""

    path: Path
    encoding: str
    delimiter: str

    def records(self) -> Iterator[Record]:
        """Every record that is not blank, the first line included. On failure: Unreadable."""
        with self.path.open(encoding=self.encoding, newline="") as file:
            try:
                yield from _records(_lines(file), self.delimiter)
            except UnicodeError:
                raise Unreadable(f"The file cannot be read as {self.encoding}. Save it as UTF-8.") from None


def open_table(path: Path, *, encoding: str = "") -> Table:
    """Find out how a file is written. On failure: Unreadable, OSError."""
    encoding = import_encodings.check(path, encoding=encoding) if encoding else import_encodings.find(path)
    with path.open(encoding=encoding, newline="") as file:
        beginning, named = _beginning(file)
    if not beginning:
        raise Unreadable("The file is empty.")
    return Table(path, encoding, named or _delimiter(beginning))


def _beginning(file: TextIO) -> tuple[list[str], str]:
    """The first lines that are not blank, without quoted cells, and the delimiter if a line names one (`sep=;`)."""
    named, lines = "", list[str]()
    while len(lines) < LOOKED_AT and (line := file.readline(LONGEST_LINE)):
        if not lines and (match := SEPARATOR_LINE.fullmatch(line)):
            named = match[1]
        elif line.strip():
            lines.append(QUOTED.sub("", line))
    return lines, named


def _delimiter(lines: Sequence[str]) -> str:
    """What divides the cells: a mark that the next lines have too, and rather one without a blank behind it."""
    return max(
        DELIMITERS,
        key=lambda mark: (
            all(mark in line for line in lines),
            lines[0].count(mark) - lines[0].count(f"{mark} "),
            lines[0].count(mark),
        ),
    )


def numbered(file: TextIO) -> Iterator[tuple[int, str]]:
    """All lines, numbered from 1. One that is longer than any record comes in pieces of the same number."""
    number, is_whole = 0, True
    while line := file.readline(LONGEST_LINE):
        number += is_whole
        is_whole = line.endswith(("\n", "\r"))
        yield number, line


def _lines(file: TextIO) -> Iterator[tuple[int, str]]:
    """The numbered lines, without one that names the delimiter."""
    began = False
    for number, line in numbered(file):
        if began or not SEPARATOR_LINE.fullmatch(line):
            yield number, line
        began = began or bool(line.strip())


def _records(lines: Iterator[tuple[int, str]], delimiter: str) -> Iterator[Record]:
    """One record after another; one that cannot be read costs itself, and the whole records behind it follow."""
    csv.field_size_limit(LONGEST_CELL)
    doubtful: deque[tuple[int, str]] = deque()
    width = 0
    while first := doubtful.popleft() if doubtful else next(lines, None):
        number, text = first
        cells, taken = _take(text, doubtful, lines, delimiter)
        if cells is None:
            behind, left_out = _resume(taken, delimiter, width)
            doubtful.extendleft(reversed(behind))
            whole = text + "".join(line for _, line in left_out)
            yield Record(number, fault=_not_closed(taken, left_out), text=whole.rstrip("\r\n"))
        elif any(cell.strip() for cell in cells):
            width = width or len(cells)
            yield Record(number, tuple(map(csv_export.unguarded, cells) if "'" in text or taken else cells))


def _take(
    text: str, waiting: deque[tuple[int, str]], lines: Iterator[tuple[int, str]], delimiter: str
) -> tuple[list[str] | None, list[tuple[int, str]]]:
    """The cells of the record that begins with `text`, or None, and the lines that were read for it besides."""
    taken: list[tuple[int, str]] = []
    if '"' not in text and len(text) <= LONGEST_CELL:
        # What `csv` makes of it too, which takes three times as long to be asked.
        return text.rstrip("\r\n").split(delimiter), taken
    cells, is_open = _parse(text, delimiter)
    while is_open and len(taken) < LONGEST_RECORD:
        more = waiting.popleft() if waiting else next(lines, None)
        if more is None:
            break
        taken.append(more)
        text += more[1]
        if '"' in more[1]:
            cells, is_open = _parse(text, delimiter)
    return cells, taken


def _parse(text: str, delimiter: str) -> tuple[list[str] | None, bool]:
    """The cells of one record, or None; and whether a quoted cell of it goes on in the next line."""
    # Not `splitlines`, which takes a line separator inside a cell for the end of the record.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        cells = next(reader, [])
        return (cells, False) if next(reader, None) is None else (None, False)
    except csv.Error as error:
        return None, "unexpected end of data" in str(error)


def _resume(
    lines: Sequence[tuple[int, str]], delimiter: str, width: int
) -> tuple[Sequence[tuple[int, str]], Sequence[tuple[int, str]]]:
    """Divide what follows a fault: from the first line that is a whole record of its own, and what is before it.

    Text inside a quotation mark is a note about somebody, not a reader: a line with fewer cells
    than the file has columns, or without an address, is left out.
    """
    for place, (_, text) in enumerate(lines):
        cells, _open = _parse(text, delimiter)
        if cells is not None and len(cells) == width and "@" in text:
            return lines[place:], lines[:place]
    return [], lines


def _not_closed(taken: Sequence[object], left_out: Sequence[tuple[int, str]]) -> str:
    if not taken:
        return NOT_CSV
    if not left_out:
        return NOT_CLOSED
    first, last = left_out[0][0], left_out[-1][0]
    lines = f"Line {first} belongs" if first == last else f"Lines {first} to {last} belong"
    return f"{NOT_CLOSED} {lines} to it as far as one can tell, and nothing was taken from there."
