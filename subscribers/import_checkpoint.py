"""How far an import came, so that one that was killed goes on where it was.

A portion, its numbers and its refused rows are committed in one transaction, so after any end each record of the
file was taken once or is still to come. The checkpoint is known by the content of the file and by what was to be
done with it; it is gone when the import is done.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from core import locks
from mailkit import addresses
from subscribers.import_checkpoint_model import ImportCheckpoint, ImportRefusals
from subscribers.import_reading import Source
from subscribers.import_report import Report
from subscribers.import_storing import Plan

# One that nobody has gone on with is forgotten.
KEEP: Final = timedelta(days=7)
COUNTS: Final = ("imported", "already_there", "unconfirmed", "said_no")


@contextlib.contextmanager
def of(source: Source, plan: Plan, *, now: datetime) -> Iterator[ImportCheckpoint | None]:
    """Where this import is, for this process alone; None if another process is at the same import."""
    fingerprint = _fingerprint(source, plan)
    with locks.advisory_lock(f"import {fingerprint}") as is_alone:
        if not is_alone:
            yield None
            return
        defaults = {"newsletter": plan.newsletter, "updated_at": now}
        yield ImportCheckpoint.objects.get_or_create(fingerprint=fingerprint, defaults=defaults)[0]


def move(
    checkpoint: ImportCheckpoint, *, report: Report, refused: Sequence[tuple[int, str]], position: int, now: datetime
) -> None:
    """Record that the records before `position` are done. In the transaction of the portion."""
    numbers = {name: getattr(report, name) for name in COUNTS}
    ImportCheckpoint.objects.filter(pk=checkpoint.pk).update(position=position, updated_at=now, **numbers)
    if refused:
        packed = gzip.compress(json.dumps(refused, ensure_ascii=False).encode(), 6)
        ImportRefusals.objects.create(checkpoint=checkpoint, content=packed)


def turn(checkpoint: ImportCheckpoint) -> None:
    """Those who said no are done: the others follow, from the first record on."""
    ImportCheckpoint.objects.filter(pk=checkpoint.pk).update(position=0, noes_are_done=True)
    checkpoint.position, checkpoint.noes_are_done = 0, True


def restore(checkpoint: ImportCheckpoint, report: Report) -> None:
    """Put into the report what an interrupted import had done."""
    for name in COUNTS:
        setattr(report, name, getattr(checkpoint, name))
    portions = ImportRefusals.objects.filter(checkpoint=checkpoint).order_by("pk")
    for content in portions.values_list("content", flat=True).iterator():
        report.refusals.add_all(json.loads(gzip.decompress(bytes(content))))
    report.resumed = report.lines


def forget(*, now: datetime) -> int:
    """Delete the checkpoints with which nobody has gone on for a week."""
    return ImportCheckpoint.objects.filter(updated_at__lt=now - KEEP).delete()[0]


def _fingerprint(source: Source, plan: Plan) -> str:
    """Keyed, because a list of one person could be guessed from a bare hash."""
    with source.table.path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    reading = (source.table.encoding, source.table.delimiter, source.columns)
    doing = (plan.newsletter.pk, plan.cadence, plan.basis, plan.source)
    return addresses.keyed_hash(f"import {content} {reading} {doing}")
