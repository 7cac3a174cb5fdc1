"""Takes people who were erased out of the lists that were uploaded before.

A list is kept for a week after its import, and may wait for somebody's yes for as long. An erasure leaves a keyed hash
alone, so the lists are read, and the addresses in them hashed. A record of the person becomes empty lines, so that all
others keep their numbers; in the record of somebody else, as in a note, the address alone is replaced. The worker of an
import that is under way has the list as it was, for minutes; the suppression keeps it from bringing the person back.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from celery import shared_task

from mailkit import addresses
from subscribers import import_files
from subscribers.import_encodings import Unreadable
from subscribers.import_files import Record, Table
from subscribers.import_reading import BETWEEN_ADDRESSES
from subscribers.models import ConsentEvent, ImportJob

IN_ITS_PLACE: Final = "erased"
# Of a list that cannot be read nobody knows whether they are in it, and nobody can import it.
GONE: Final = b""

# The lines of a record, from its first to before its last: None for all of it, or the addresses in it.
Change = tuple[int, int, set[str] | None]
NO_END: Final = 1 << 62


@shared_task
def clean_lists() -> None:
    """Wakes `clean` up after an erasure; the clock comes too."""
    clean()


def clean() -> int:
    """Take everybody who was erased out of the lists; return how many lists had one of them. Safe to repeat."""
    rows = ImportJob.objects.exclude(content=b"").order_by("pk")
    return sum(_clean(pk, looked_at) for pk, looked_at in rows.values_list("pk", "erased_until"))


def newest_act() -> int:
    """The number of the newest consent event; who is erased from now on has a greater one."""
    return ConsentEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _clean(pk: int, looked_at: int) -> bool:
    until = newest_act()
    if until <= looked_at:
        return False
    acts = ConsentEvent.objects.filter(kind=ConsentEvent.Kind.ERASED, pk__gt=looked_at, pk__lte=until)
    erased = set(acts.values_list("address_hash", flat=True))
    changes = _cleaned(ImportJob.objects.get(pk=pk), erased) if erased else {}
    # Of two that clean at once, the second sees that the list is another one now, and comes again with the clock.
    rows = ImportJob.objects.filter(pk=pk, erased_until=looked_at).exclude(content=b"")
    rows.update(erased_until=until, **changes)
    return bool(changes)


def _cleaned(job: ImportJob, erased: set[str]) -> dict[str, str | bytes]:
    """The columns of the job that are others without these people."""
    changes: dict[str, str | bytes] = {}
    if named := _named(job.message, erased):
        changes["message"] = _changed(job.message, named)
    content = _without(job, erased)
    return changes | ({} if content is None else {"content": content})


def _without(job: ImportJob, erased: set[str]) -> bytes | None:
    """The list without these people, compressed; None if none of them is in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list"
        path.write_bytes(gzip.decompress(bytes(job.content)))
        try:
            table = import_files.open_table(path)
            changes = list(_changes(table, erased))
        except Unreadable:
            return GONE
        return _rewritten(table, changes) if changes else None


def _changes(table: Table, erased: set[str]) -> Iterator[Change]:
    """What is to be done to the lines of which records."""
    current: tuple[set[str] | None, int] | None = None
    for record in table.records():
        if current is not None:
            yield current[1], record.line, current[0]
        current = _found(record, erased)
    if current is not None:
        yield current[1], NO_END, current[0]


def _found(record: Record, erased: set[str]) -> tuple[set[str] | None, int] | None:
    cells = [cell.strip() for cell in record.cells if "@" in cell]
    if any(_hash(cell) in erased for cell in cells):
        return None, record.line
    named = _named(" ".join(cells) or record.text, erased)
    return ((None if record.fault else named), record.line) if named else None


def _rewritten(table: Table, changes: list[Change]) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as zipped,
        io.TextIOWrapper(zipped, encoding=table.encoding, newline="") as out,
        table.path.open(encoding=table.encoding, newline="") as file,
    ):
        waiting = iter([*changes, (NO_END, NO_END, None)])
        first, end, named = next(waiting)
        for number, line in import_files.numbered(file):
            while number >= end:
                first, end, named = next(waiting)
            out.write(line if number < first else _changed(line, named))
    return packed.getvalue()


def _changed(line: str, named: set[str] | None) -> str:
    """The line end alone, or the line without these addresses."""
    if named is None:
        return line[len(line.rstrip("\r\n")) :]
    for address in sorted(named, key=len, reverse=True):
        line = line.replace(address, IN_ITS_PLACE)
    return line


def _named(text: str, erased: set[str]) -> set[str]:
    """Those of the addresses in the text, as they are written there."""
    return {piece for piece in BETWEEN_ADDRESSES.split(text) if "@" in piece and _hash(piece) in erased}


def _hash(text: str) -> str:
    with contextlib.suppress(addresses.InvalidAddress):
        return addresses.keyed_hash(addresses.normalise(text).key)
    return ""
