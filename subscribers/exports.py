"""A list of readers as CSV, made row by row: for another system, or to look at in a spreadsheet."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from staff import audit
from staff.audit_actions import AuditAction
from subscribers import permissions
from subscribers.models import Newsletter, Subscription

RIGHT: Final = "subscribers.export_readers"
COLUMNS: Final = (
    "address", "name", "language", "newsletter", "cadence", "state", "requested_at", "confirmed_at", "unsubscribed_at",
)  # fmt: skip
# A spreadsheet would take such a cell for a formula; our own import takes the mark away again.
FORMULA: Final = tuple("=+-@\t\r")
BATCH: Final = 2_000


def rows(*, newsletter: Newsletter | None, state: str, actor: AbstractBaseUser, now: datetime) -> Iterator[str]:
    """Lines of CSV, the first of them with the columns; the audit log has the act before the first is given.

    `state` is one of a subscription's, or empty for all. On failure: PermissionDenied.
    """
    if newsletter is None:
        permissions.require_all(RIGHT, user=actor)
    else:
        permissions.require(RIGHT, user=actor, newsletter=newsletter.pk)
    chosen = Subscription.objects.select_related("subscriber", "newsletter").order_by("pk")
    chosen = chosen.filter(newsletter=newsletter) if newsletter else chosen
    chosen = chosen.filter(state=state) if state else chosen
    _record(newsletter, state, actor, now)
    return _lines(chosen)


def _record(newsletter: Newsletter | None, state: str, actor: AbstractBaseUser, now: datetime) -> None:
    with transaction.atomic():
        audit.record(action=AuditAction.READERS_EXPORTED, actor=actor, target=newsletter, now=now, state=state)


def _lines(chosen: Any) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for row in chosen.iterator(chunk_size=BATCH):
        reader = row.subscriber
        times = (row.requested_at, row.confirmed_at, row.unsubscribed_at)
        cells = (reader.address, reader.name, reader.language, row.newsletter.slug, row.cadence, row.state)
        writer.writerow(
            [*map(_guarded, cells), *(f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else "" for moment in times)]
        )
        if buffer.tell() > 1 << 15:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell
