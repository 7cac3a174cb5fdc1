"""Reads the CSV files of other systems, record by record and as often as asked (RFC 4180).

A quoted cell may hold line ends. The encoding is known or the file is refused: a name
that is stored wrongly is worse than a question.
"""

import codecs
import csv
import re
import unicodedata
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import charset_normalizer

LONGEST_RECORD = 1_000  # lines; a quoted cell that goes on for longer was never closed
LONGEST_CELL = 131_072  # characters
BLOCK = 1 << 20
SAMPLE = 1 << 16
DELIMITERS = ",;\t|"
SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE | re.DOTALL)
QUOTED = re.compile(r'"[^"]*"')
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What spreadsheets and old systems write, with the names under which people know them.
LEGACY = {
    "cp1252": "windows-1252", "cp1251": "windows-1251", "cp1250": "windows-1250", "cp1253": "windows-1253",
    "cp1254": "windows-1254", "cp1255": "windows-1255", "cp1256": "windows-1256", "cp1257": "windows-1257",
    "koi8_r": "koi8-r", "cp866": "ibm866", "mac_roman": "macintosh", "cp932": "shift_jis", "gb18030": "gb18030",
    "big5": "big5", "cp949": "euc-kr",
}  # fmt: skip
WESTERN = ("windows-1252", "windows-1250", "windows-1254", "windows-1257")
NOT_ASCII = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*")
# Excel and our own exports put one before a cell that a spreadsheet would take for a formula.
GUARD = re.compile(r"'(?=[=+\-@\t\r])")

NOT_CLOSED = "A quotation mark that begins here is not closed."
NOT_CSV = "The line cannot be read as CSV; look for a quotation mark that is not closed or not doubled."


class Unreadable(ValueError):
    """The file cannot be read as it is; str() is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record: the number of its first line, and its cells, or the reason why there are none."""

    line: int
    cells: tuple[str, ...] = ()
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file whose encoding, delimiter and first record are known. `records` begins anew at each call."""

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
    encoding = _checked(path, encoding) if encoding else _found(path)
    with path.open(encoding=encoding, newline="") as file:
        first, named = _first_line(file)
    if not first:
        raise Unreadable("The file is empty.")
    unquoted = QUOTED.sub("", first)
    return Table(path, encoding, named or max(DELIMITERS, key=unquoted.count))


def _checked(path: Path, encoding: str) -> str:
    """The encoding that somebody named, if the whole file is written in it."""
    try:
        codecs.lookup(encoding)
        with path.open("rb") as file:
            _decode(file, encoding)
    except LookupError:
        raise Unreadable(f"There is no encoding named {encoding}. Try utf-8 or windows-1252.") from None
    except UnicodeError:
        raise Unreadable(f"The file is not written in {encoding}. Try another encoding.") from None
    return encoding


def _found(path: Path) -> str:
    """UTF-8 or UTF-16; anything older is not told from its neighbours by looking, so it must be named."""
    with path.open("rb") as file:
        start = file.read(SAMPLE)
    marked = next((encoding for mark, encoding in MARKS if start.startswith(mark)), "")
    if marked:
        return _checked(path, marked)
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise Unreadable("This is a spreadsheet or an archive. Save it as CSV, or unpack it first.")
    if b"\0" in start:
        # Latin letters of UTF-16 have a zero in every second place.
        return _checked(path, "utf-16-le" if start[1::2].count(0) >= start[::2].count(0) else "utf-16-be")
    with path.open("rb") as file:
        try:
            _decode(file, "utf-8")
        except UnicodeError:
            file.seek(0)
            raise Unreadable(_guess(file)) from None
    return "utf-8"


def _decode(file: BinaryIO, encoding: str) -> None:
    decoder = codecs.getincrementaldecoder(encoding)()
    while block := file.read(BLOCK):
        decoder.decode(block)
    decoder.decode(b"", final=True)


def _guess(file: BinaryIO) -> str:
    """A sentence that names the likeliest encodings, with a word by which a person can tell which is right."""
    sample = b""
    for line in file:
        if not line.isascii():
            sample += line
        if len(sample) > SAMPLE:
            break
    names = _likely(sample)
    words = [word for word in NOT_ASCII.findall(sample) if all(_reads(word, name) for name in names)]
    telling = max(words, key=lambda word: len({word.decode(name) for name in names}), default=b"")
    readings = [f"{name} (“{telling.decode(name)}”)" for name in names]
    return (
        f"The file is not written in UTF-8. It looks like {' or '.join(readings)}. "
        f"Name the right one, as in: --encoding {names[0]}."
    )


def _likely(sample: bytes) -> list[str]:
    """At most three encodings in which the sample can be read, the likeliest first.

    Statistics know nothing of a single name, so they only divide those whose words look alike.
    """
    matches = charset_normalizer.from_bytes(sample, cp_isolation=list(LEGACY), threshold=1.0)
    ranked = [LEGACY[match.encoding] for match in matches if match.encoding in LEGACY]
    readable = [name for name in dict.fromkeys([*WESTERN, *ranked, *LEGACY.values()]) if _reads(sample, name)]
    words = NOT_ASCII.findall(sample)
    return sorted(readable, key=lambda name: -sum(_is_word(word, name) for word in words))[:3]


def _reads(sample: bytes, encoding: str) -> bool:
    try:
        sample.decode(encoding)
    except UnicodeError:
        return False
    return True


def _is_word(word: bytes, encoding: str) -> bool:
    """Whether it reads as a word: letters of one script, a capital at its beginning only, some plain Latin ones."""
    text = word.decode(encoding, errors="replace")
    scripts = {unicodedata.name(character, "").split(" ")[0] for character in text}
    if not text.isalpha() or len(scripts) != 1 or text not in {text.title(), text.lower(), text.upper()}:
        return False
    return "LATIN" not in scripts or 2 * sum(character.isascii() for character in text) >= len(text)


def _first_line(file: Iterator[str]) -> tuple[str, str]:
    """The first line that is not blank, and the delimiter if a line before it names one (`sep=;`)."""
    named = ""
    for line in file:
        if match := SEPARATOR_LINE.fullmatch(line):
            named = match[1]
        elif line.strip():
            return line, named
    return "", named


def _lines(file: Iterator[str]) -> Iterator[tuple[int, str]]:
    began = False
    for number, line in enumerate(file, start=1):
        if not began and SEPARATOR_LINE.fullmatch(line):
            continue
        began = began or bool(line.strip())
        yield number, line


def _records(lines: Iterator[tuple[int, str]], delimiter: str) -> Iterator[Record]:
    """One record after another; one that cannot be read costs itself, and what stands whole behind it goes on."""
    csv.field_size_limit(LONGEST_CELL)
    doubtful: deque[tuple[int, str]] = deque()
    width = 0
    while first := doubtful.popleft() if doubtful else next(lines, None):
        number, text = first
        cells, taken = _take(text, doubtful, lines, delimiter)
        if cells is None:
            behind, left_out = _resume(taken, delimiter, width)
            doubtful.extendleft(reversed(behind))
            yield Record(number, fault=_named(taken, left_out))
        elif any(cell.strip() for cell in cells):
            width = width or len(cells)
            yield Record(number, tuple(GUARD.sub("", cell, count=1) for cell in cells))


def _take(
    text: str, waiting: deque[tuple[int, str]], lines: Iterator[tuple[int, str]], delimiter: str
) -> tuple[list[str] | None, list[tuple[int, str]]]:
    """The cells of the record that begins with `text`, or None, and the lines that were read for it besides."""
    taken: list[tuple[int, str]] = []
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
    reader = csv.reader(
        text.splitlines(keepends=True) if "\n" in text[:-1] else [text], delimiter=delimiter, strict=True
    )
    try:
        cells = next(reader, [])
        return (cells, False) if next(reader, None) is None else (None, False)
    except csv.Error as error:
        return None, "unexpected end of data" in str(error)


def _resume(
    lines: Sequence[tuple[int, str]], delimiter: str, width: int
) -> tuple[Sequence[tuple[int, str]], Sequence[tuple[int, str]]]:
    """Divide what stands behind a fault: from the first line that is a whole record of its own, and what is before it.

    What stands inside a quotation mark is a note about somebody, not a reader: a line with fewer cells
    than the file has columns, or without an address, is left out.
    """
    for place, (_, text) in enumerate(lines):
        cells, _open = _parse(text, delimiter)
        if cells is not None and len(cells) == width and "@" in text:
            return lines[place:], lines[:place]
    return [], lines


def _named(taken: Sequence[object], left_out: Sequence[tuple[int, str]]) -> str:
    if not taken:
        return NOT_CSV
    if not left_out:
        return NOT_CLOSED
    first, last = left_out[0][0], left_out[-1][0]
    lines = f"Line {first} belongs" if first == last else f"Lines {first} to {last} belong"
    return f"{NOT_CLOSED} {lines} to it as far as one can tell, and nothing was taken from there."
