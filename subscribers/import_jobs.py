"""Imports from the desk: an upload is looked at, shown, and imported by a worker when somebody says so.

The row is the queue: a task only wakes a worker up. A worker holds the row by a lease, so that two never import the
same file at once; one that died is followed by another, which goes on where it was (`import_checkpoint`).
"""

import contextlib
import gzip
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from celery import shared_task
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import Q
from django.utils.text import get_valid_filename
from django.utils.translation import gettext as _

from core import database_clock, transitions
from subscribers import import_checkpoint, import_columns, import_erasure, import_files, imports, permissions
from subscribers.import_columns import UnknownValue
from subscribers.import_encodings import Unreadable
from subscribers.import_job import IMPORT_MOVES, WORKING, ImportJob, ImportState
from subscribers.import_reading import Source
from subscribers.import_report import RefusedRow, Report
from subscribers.import_words import Status
from subscribers.models import Newsletter, Subscription

RIGHT: Final = "subscribers.import_readers"
LARGEST: Final = 64 * 1024 * 1024
LEASE: Final = timedelta(seconds=60)
# Less than a task may take: the rest is for the next one, which goes on behind the last portion.
SECONDS_AT_ONCE: Final = 180.0
KEEP: Final = timedelta(days=7)
SHOWN: Final = 20
# How many records are looked through for rows to show.
LOOKED_THROUGH: Final = 5_000
EVERYBODY: Final = {status.name.lower(): status for status in Status if status is not Status.UNREACHED}


class TooLarge(ValueError):
    """The file is larger than an upload may be."""


class NotNow(Exception):
    """The import is in another state, such as after a second click."""


class _TimeIsUp(Exception):
    """This task has worked long enough."""


@dataclass(slots=True)
class Sample:
    """At most twenty rows of each bucket: the cells, and for the refused the reason."""

    header: tuple[str, ...]
    fresh: list[tuple[str, ...]] = field(default_factory=list)
    present: list[tuple[str, ...]] = field(default_factory=list)
    refused: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    noes: list[tuple[tuple[str, ...], str]] = field(default_factory=list)


def upload(
    *,
    file: UploadedFile,  # type: ignore[type-arg]  # generic only in the stubs
    newsletter: Newsletter,
    cadence: str,
    basis: str,
    everybody: str,
    actor: User,
    now: datetime,
) -> ImportJob:
    """Keep the file and have it looked at. On failure: TooLarge, ImportRefused for a cadence, PermissionDenied."""
    _require(actor, newsletter)
    imports.plan(newsletter=newsletter, cadence=cadence, basis=basis)
    if (file.size or 0) > LARGEST:
        raise TooLarge(_("The file is larger than 64 MB. Divide it, or use manage.py import_subscribers."))
    job = ImportJob.objects.create(
        newsletter=newsletter, cadence=cadence, basis=basis.strip(), created_by=actor, created_at=now,
        file_name=get_valid_filename(file.name or "readers.csv")[-200:], content=gzip.compress(file.read(), 6),
        columns={"everybody": everybody} if everybody else {}, erased_until=import_erasure.newest_act(),
    )  # fmt: skip
    _wake(job)
    return job


def look_again(*, job: ImportJob, columns: dict[str, Any], actor: User) -> None:
    """Look at the file with other columns. On failure: NotNow, PermissionDenied."""
    _require(actor, job.newsletter)
    _move(job, ImportState.CHECKING, columns=columns, message="", lease_until=None)
    _wake(job)


def start(*, job: ImportJob, actor: User) -> None:
    """Import it, in the name of this person. On failure: NotNow, PermissionDenied."""
    _require(actor, job.newsletter)
    zero = dict.fromkeys(("lines", "imported", "already_there", "unconfirmed", "refused", "said_no"), 0)
    _move(job, ImportState.IMPORTING, created_by=actor, lease_until=None, **zero)
    _wake(job)


@shared_task
def run_import(job_id: int) -> None:
    """Look at an upload or import it, as far as one task may; the next one goes on."""
    if work(job_id=job_id):
        run_import.delay(job_id)


def sweep(*, now: datetime) -> None:
    """Wake workers for uploads that nobody works on, and delete the files of old ones."""
    for job_id in due():
        run_import.delay(job_id)
    forget(now=now)


def work(*, job_id: int) -> bool:
    """Look at an upload or import it, unless another worker does; return whether more is to be done."""
    now = database_clock.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    mine = ImportJob.objects.filter(free, pk=job_id, state__in=WORKING)
    if not mine.update(lease_until=now + LEASE):
        return False
    job = ImportJob.objects.select_related("newsletter", "created_by").get(pk=job_id)
    deadline, report = time.monotonic() + SECONDS_AT_ONCE, Report()

    def note(latest: Report) -> None:
        nonlocal report
        report = latest
        _count(job, latest)
        # A look that ends early has something to show.
        if time.monotonic() > deadline and (latest.imported or job.state == ImportState.IMPORTING):
            raise _TimeIsUp

    try:
        with opened(job) as source:
            # A million lines take a good part of the lease to be read.
            _renew(job)
            report = imports.run(
                source=source, plan=_plan(job), actor=job.created_by, now=database_clock.now(),
                dry_run=job.state == ImportState.CHECKING, on_progress=note,
            )  # fmt: skip
    except _TimeIsUp:
        if job.state == ImportState.IMPORTING:
            ImportJob.objects.filter(pk=job.pk).update(lease_until=None)
            return True
    except (imports.ImportRefused, PermissionDenied, OSError) as refusal:
        sentence = str(refusal) or _("The person who began it may not import readers of this newsletter.")
        _move(job, ImportState.REFUSED, message=sentence[:500], lease_until=None)
        return False
    _finish(job, report)
    return False


def due() -> list[int]:
    """Uploads that nobody works on."""
    free = Q(lease_until=None) | Q(lease_until__lt=database_clock.now())
    return list(ImportJob.objects.filter(free, state__in=WORKING).values_list("pk", flat=True)[:20])


def forget(*, now: datetime) -> int:
    """Delete the files of imports that ended, or were left lying, a week ago, and how far others came."""
    import_checkpoint.forget(now=now)
    old = Q(finished_at__lt=now - KEEP) | Q(finished_at=None, created_at__lt=now - KEEP)
    return ImportJob.objects.filter(old).exclude(content=b"").update(content=b"", refusals=b"")


@contextlib.contextmanager
def opened(job: ImportJob) -> Iterator[Source]:
    """The file with its columns. On failure: ImportRefused."""
    with _unpacked(job) as path:
        chosen = dict(job.columns)
        everybody = EVERYBODY.get(chosen.pop("everybody", ""))
        yield imports.open_source(path=path, everybody=everybody, **chosen)


def header(job: ImportJob) -> tuple[str, ...]:
    """The cells of the first line, to choose columns from; empty for a file that cannot be read."""
    with _unpacked(job) as path, contextlib.suppress(Unreadable, OSError):
        first = next(import_files.open_table(path).records(), None)
        return first.cells if first else ()
    return ()


def sample(job: ImportJob) -> Sample:
    """Rows of each bucket from the beginning of the file. Before: it was looked at. On failure: ImportRefused."""
    reasons = {row.line: row.reason for row in refusals(job)}
    with opened(job) as source:
        rows = Sample(source.columns.header)
        yes: dict[str, tuple[str, ...]] = {}
        for number, record in enumerate(source.records()):
            if number >= LOOKED_THROUGH:
                break
            if record.line in reasons:
                no = not record.fault and _says_no(record, source.columns)
                (rows.noes if no else rows.refused).append((record.cells or (record.text,), reasons[record.line]))
            else:
                yes.setdefault(record.cells[source.columns.address].strip().lower(), record.cells)
    here = Subscription.objects.filter(newsletter=job.newsletter, subscriber__address_key__in=yes)
    present = set(here.values_list("subscriber__address_key", flat=True))
    rows.fresh = [cells for key, cells in yes.items() if key not in present][:SHOWN]
    rows.present = [cells for key, cells in yes.items() if key in present][:SHOWN]
    del rows.refused[SHOWN:], rows.noes[SHOWN:]
    return rows


def refusals(job: ImportJob) -> Iterator[RefusedRow]:
    """The refused records, by line."""
    if job.refusals:
        for line, reason in json.loads(gzip.decompress(bytes(job.refusals))):
            yield RefusedRow(line, reason)


def _says_no(record: import_files.Record, columns: import_columns.Columns) -> bool:
    try:
        return columns.verdict(record.cells).status is not Status.YES
    except UnknownValue:
        return False


def _require(actor: User, newsletter: Newsletter) -> None:
    permissions.require(RIGHT, user=actor, newsletter=newsletter.pk)


def _wake(job: ImportJob) -> None:
    run_import.delay_on_commit(job.pk)  # type: ignore[attr-defined]  # celery-types does not know Celery's Django task


def _plan(job: ImportJob) -> imports.Plan:
    return imports.plan(newsletter=job.newsletter, cadence=job.cadence, basis=job.basis)


def _move(job: ImportJob, to: ImportState, **columns: Any) -> None:
    """One conditional UPDATE; its row count decides. On failure: NotNow."""
    from_states = transitions.before(to, IMPORT_MOVES)
    if not ImportJob.objects.filter(pk=job.pk, state__in=from_states).exclude(content=b"").update(state=to, **columns):
        raise NotNow(_("Somebody did that already. Look at what is shown now."))
    job.refresh_from_db()


def _renew(job: ImportJob) -> None:
    ImportJob.objects.filter(pk=job.pk).update(lease_until=database_clock.now() + LEASE)


def _count(job: ImportJob, report: Report) -> None:
    """Renew the lease and store the numbers."""
    pace = report.pace
    ImportJob.objects.filter(pk=job.pk).update(
        lease_until=database_clock.now() + LEASE,
        total=report.total,
        lines=report.lines,
        began_at=database_clock.now() - timedelta(seconds=pace.seconds),
        began_lines=pace.since,
        imported=report.imported,
        already_there=report.already_there,
        unconfirmed=report.unconfirmed,
        refused=len(report.refusals),
        said_no=report.said_no,
    )


def _finish(job: ImportJob, report: Report) -> None:
    is_checked = job.state == ImportState.CHECKING
    packed = gzip.compress(json.dumps([[row.line, row.reason] for row in report.refusals]).encode(), 6)
    with transaction.atomic():
        _count(job, report)
        _move(
            job, ImportState.CHECKED if is_checked else ImportState.DONE, refusals=packed, lease_until=None,
            finished_at=None if is_checked else database_clock.now(),
        )  # fmt: skip


@contextlib.contextmanager
def _unpacked(job: ImportJob) -> Iterator[Path]:
    """The file as it came, for as long as it is read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / job.file_name
        path.write_bytes(gzip.decompress(bytes(job.content)) if job.content else b"")
        yield path
