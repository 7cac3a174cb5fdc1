"""The result of an import: one compact entry for each record."""

import heapq
import itertools
import time
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from subscribers.import_pace import Pace


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One record that was not imported, and why. The address is not repeated."""

    line: int
    reason: str


class Refusals:
    """Refused records by line. A million of them are 8 MB, because there are few different reasons."""

    def __init__(self) -> None:
        self._lines = array("I")
        self._numbers = array("I")
        self._reasons: dict[str, int] = {}

    def add(self, line: int, reason: str) -> None:
        """Refuse one record."""
        self._lines.append(line)
        self._numbers.append(self._reasons.setdefault(reason, len(self._reasons)))

    def add_all(self, rows: Iterable[tuple[int, str]]) -> None:
        """Refuse several."""
        for line, reason in rows:
            self.add(line, reason)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._lines)

    def __iter__(self) -> Iterator[RefusedRow]:
        """All of them in the order of the file."""
        reasons, lines = list(self._reasons), self._lines
        # An import adds them in the order of the file, once for those who said no and once for the others.
        turns = [place for place in range(1, len(lines)) if lines[place] < lines[place - 1]]
        parts = [range(begin, end) for begin, end in itertools.pairwise([0, *turns, len(lines)])]
        for place in heapq.merge(*parts, key=lines.__getitem__):
            yield RefusedRow(lines[place], reasons[self._numbers[place]])


@dataclass(slots=True)
class Report:
    """What became of the records; each is in one of the three."""

    imported: int = 0
    already_there: int = 0
    # How many of those there already have not confirmed; an import does not do that for them.
    unconfirmed: int = 0
    refusals: Refusals = field(default_factory=Refusals)
    # How many of the refused must not be mailed according to the file; that is kept.
    said_no: int = 0
    # How many records the file has, and how many of them an import that was interrupted had behind it.
    total: int = 0
    resumed: int = 0
    # When those who said yes began, after those who said no, by `time.monotonic`, and how many lines were done then.
    began: tuple[float, int] | None = None

    @property
    def refused(self) -> list[RefusedRow]:
        """The refused records in the order of the file, all at once: for a report of moderate length."""
        return list(self.refusals)

    def begin(self) -> None:
        """From here on those who said yes are imported."""
        self.began = time.monotonic(), self.lines

    @property
    def pace(self) -> Pace:
        """How far it is, and how fast it goes since `began`."""
        began, since = self.began or (time.monotonic(), self.lines)
        return Pace(lines=self.lines, total=self.total, since=since, seconds=time.monotonic() - began)

    @property
    def lines(self) -> int:
        """How many records of the file were looked at."""
        return self.imported + self.already_there + len(self.refusals)
