"""A list of readers as CSV, made row by row: for another system, or to look at in a spreadsheet."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet

from core import csv_export
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import permissions, segments
from subscribers.models import Newsletter, Segment, Subscription

RIGHT: Final = "subscribers.export_readers"
COLUMNS: Final = (
    "address", "name", "language", "newsletter", "cadence", "state", "requested_at", "confirmed_at", "unsubscribed_at",
)  # fmt: skip
BATCH: Final = 2_000


def rows(
    *, newsletter: Newsletter | None, state: str, actor: AbstractBaseUser, now: datetime, segment: Segment | None = None
) -> Iterator[str]:
    """Lines of CSV, the first of them with the columns; the audit log has the act before the first is given.

    `state` is one of a subscription's, or empty for all; a segment names its newsletter. On failure: PermissionDenied.
    """
    newsletter = segment.newsletter if segment else newsletter
    if newsletter is None:
        permissions.require_all(RIGHT, user=actor)
    else:
        permissions.require(RIGHT, user=actor, newsletter=newsletter.pk)
    chosen = Subscription.objects.select_related("subscriber", "newsletter").order_by("pk")
    chosen = chosen.filter(newsletter=newsletter) if newsletter else chosen
    if segment:
        chosen = chosen.filter(pk__in=segments.readers(segment=segment).values("pk"))
    chosen = chosen.filter(state=state) if state else chosen
    _record(newsletter, state, segment, actor, now)
    return csv_export.written(_cells(chosen))


def _record(
    newsletter: Newsletter | None, state: str, segment: Segment | None, actor: AbstractBaseUser, now: datetime
) -> None:
    among = {"segment": segment.name} if segment else {}
    with transaction.atomic():
        audit.record(action=AuditAction.READERS_EXPORTED, actor=actor, target=newsletter, now=now, state=state, **among)


def _cells(chosen: QuerySet[Subscription]) -> Iterator[Sequence[str]]:
    yield COLUMNS
    for row in chosen.iterator(chunk_size=BATCH):
        reader = row.subscriber
        times = (row.requested_at, row.confirmed_at, row.unsubscribed_at)
        cells = (reader.address, reader.name, reader.language, row.newsletter.slug, row.cadence, row.state)
        yield (*cells, *(f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else "" for moment in times))
