"""What pages have in common, made once and cached in this process until something of it changes.

The database numbers every change of what readers see (decision 0140). A request asks for the number of the last one
before anything else, in one short statement. A part is shown again while none of its tags has changed since the number
with which it was made; so nothing old is shown, and another story leaves the parts of all others alone. See decisions
0158 and 0170.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.urls import get_script_prefix
from django.utils import translation

from core import page_tags, prepared_statements
from publication.known_changes import KnownChanges

T = TypeVar("T")

READ_AS: Final = "_shared_parts"
# Written out: Django takes four times as long to put the same together.
EPOCH: Final = "SELECT number FROM publication_pageversion WHERE tag = ''"
# Characters of all parts together. Those that nobody asked for longest go.
MOST_SIZE: Final = 24_000_000
# What a part takes besides, and one that is not text altogether.
OVERHEAD: Final = 500


@dataclass(slots=True)
class Part:
    """Something that was made. `epoch`: it is as the database had it then."""

    epoch: int
    tags: frozenset[str]
    value: Any

    @property
    def size(self) -> int:
        """How many characters it takes, about."""
        return OVERHEAD + (len(self.value) if isinstance(self.value, str) else getattr(self.value, "size", 0))


class Process:
    """The parts of this process, and what it knows of changes since it began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes = KnownChanges()
        self._parts: OrderedDict[Hashable, Part] = OrderedDict()
        self._size = 0

    def now(self) -> int:
        """The epoch of this instant, up to which all changes are known afterwards."""
        row = prepared_statements.first(EPOCH, ())
        epoch: int = row[0] if row else 0
        if epoch != self._changes.epoch:
            with self._lock:
                if not self._changes.learn():
                    self._parts.clear()
                    self._size = 0
        return epoch

    def get(self, name: Hashable) -> Part | None:
        """The part of that name, if it is as the database has it."""
        with self._lock:
            part = self._parts.get(name)
            if part is None or not self._is_right(part):
                return None
            self._parts.move_to_end(name)
            return part

    def put(self, name: Hashable, part: Part) -> None:
        """Cache it in the place of an older one, unless it is of a database that there is no longer."""
        with self._lock:
            self._drop(name)
            if part.epoch > self._changes.epoch:
                return
            self._parts[name] = part
            self._size += part.size
            while self._size > MOST_SIZE:
                self._drop(next(iter(self._parts)))

    def _drop(self, name: Hashable) -> None:
        if (part := self._parts.pop(name, None)) is not None:
            self._size -= part.size

    def _is_right(self, part: Part) -> bool:
        if part.epoch < self._changes.epoch:
            if self._changes.has_changed((*page_tags.EVERYWHERE, *part.tags), since=part.epoch):
                return False
            part.epoch = self._changes.epoch
        return True


class SharedParts:
    """The parts that are made already, for a request that came in this epoch. None: nothing may be cached."""

    def __init__(self, epoch: int | None) -> None:
        self.epoch = epoch

    def part(self, name: Hashable, make: Callable[[], T], *, tags: Iterable[str] = ()) -> T:
        """What `make` gives, which depends on the rows behind these tags, those that it adds, and on nothing else.

        The page depends on the same. None is not cached.
        """
        page_tags.add(*tags)
        if self.epoch is None or connection.in_atomic_block:
            # A transaction may show what has no number yet, or is rolled back.
            return make()
        part = _process.get(name)
        if part is None:
            with page_tags.collecting() as page:
                value = make()
            part = Part(self.epoch, frozenset({*tags, *page.added}), value)
            if page.fresh_until is not None:
                page_tags.fresh_until(page.fresh_until)
            elif value is not None:
                _process.put(name, part)
        page_tags.add(*part.tags)
        known: T = part.value
        return known

    def words(self, name: Hashable, make: Callable[[], T], *, tags: Iterable[str] = ()) -> T:
        """The same for what is written in the language of the page, with addresses of its pages."""
        return self.part((name, *_spoken()), make, tags=tags)

    def each(
        self, kind: str, numbers: Iterable[int], make: Callable[[list[int]], Mapping[int, tuple[T, Iterable[str]]]]
    ) -> dict[int, T]:
        """For each of these numbers its words. `make` is asked once for all that are missing, and says their tags."""
        asked, spoken = list(dict.fromkeys(numbers)), _spoken()
        if self.epoch is None or connection.in_atomic_block:
            return {number: value for number, (value, _tags) in make(asked).items()}
        parts = {number: part for number in asked if (part := _process.get((kind, number, *spoken))) is not None}
        if missing := [number for number in asked if number not in parts]:
            with page_tags.collecting():
                new = make(missing)
            for number, (value, tags) in new.items():
                parts[number] = Part(self.epoch, frozenset(tags), value)
                _process.put((kind, number, *spoken), parts[number])
        for part in parts.values():
            page_tags.add(*part.tags)
        return {number: part.value for number, part in parts.items()}


_process = Process()


def of(request: HttpRequest) -> SharedParts:
    """The shared parts as the database has them now; asked once for each request."""
    known: SharedParts | None = getattr(request, READ_AS, None)
    if known is None:
        known = _now()
        setattr(request, READ_AS, known)
    return known


def keep_nothing(request: HttpRequest) -> None:
    """The page of this request is made of what is not saved: nothing of it is kept, and nothing kept is in it."""
    setattr(request, READ_AS, SharedParts(None))


def _now() -> SharedParts:
    if settings.DEBUG or connection.in_atomic_block:
        return SharedParts(None)
    # The number first: what is made while something changes is old with the next number.
    return SharedParts(_process.now())


def _spoken() -> tuple[str | None, str]:
    return translation.get_language(), get_script_prefix()
