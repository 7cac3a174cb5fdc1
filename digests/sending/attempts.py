"""The write-ahead record: which copies of a claimed batch are attempted is committed before anything leaves."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Collection
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from core import prepared_statements
from digests import delivery_reasons, variants
from digests.delivery_reasons import DeliveryReason
from digests.models import Delivery, Issue, IssueItem
from digests.sending import claims, merge
from postal.transports.base import Copy
from subscribers.models import Subscription

log = logging.getLogger(__name__)

RENDER_TRIES = 3
LOST = (OperationalError, InterfaceError)


class StoryWithdrawn(Exception):
    """A story of the issue is no longer public; str() is its headline."""


# A pause or a cancellation of the issue waits until this transaction ends. What "public" means is asked of
# the articles: the subquery is the ORM's own SQL.
HOLD_ISSUE = "SELECT state, COALESCE(({gone}), ({translations})) FROM digests_issue WHERE id = %s FOR SHARE"

# As every act of a reader does first. What is read here cannot change before the commit.
HOLD_READERS = """
SELECT delivery.id, delivery.uuid::text, reader.uuid::text, reader.address, reader.name, reader.token_version,
    delivery.variant
FROM digests_delivery_open AS delivery JOIN subscribers_subscriber AS reader ON reader.id = delivery.subscriber_id
WHERE delivery.id = ANY(%s::bigint[]) AND delivery.state = 'claimed' AND delivery.fence = %s
ORDER BY reader.id FOR NO KEY UPDATE OF reader
"""

RECORD = """
UPDATE digests_delivery_open AS delivery
SET state = 'attempting', attempts = attempts + 1, attempted_at = now(),
    lease_until = now() + %s * interval '1 second'
WHERE id = ANY(%s::bigint[]) AND state = 'claimed' AND fence = %s
    AND EXISTS (SELECT FROM ({mailable}) AS reader (id) WHERE reader.id = delivery.subscriber_id)
RETURNING id
"""

RENEW = """
UPDATE digests_delivery_open SET lease_until = now() + %s * interval '1 second'
WHERE id = ANY(%s::bigint[]) AND state = 'attempting' AND fence = %s
"""

# Waits for the rows until the transaction whose end is not known is over, one way or the other.
IN_DOUBT = (
    "SELECT id, state FROM digests_delivery_open WHERE id = ANY(%s::bigint[]) AND fence = %s ORDER BY id FOR UPDATE"
)


def record_attempts(
    *, batch: claims.Batch, merger: merge.Merger, lease_seconds: int, patience: float | None = None
) -> list[Copy]:
    """Turn the claimed rows into copies whose attempt is on record.

    Before: the rows are `claimed` under the batch's fence. After: each is `attempting` and returned
    as a copy, or `suppressed` with its reason, or `pending`/`render_failed` when it did not render.
    When the issue is not being sent any more, all are given back and nothing is returned; when a
    story of it is no longer public, StoryWithdrawn is raised and nothing has changed. When the
    connection is lost in the commit, a new one is asked what is on record, and only that is returned; that
    may take `patience` seconds, or a lease. After it the error is raised, and what is on record becomes uncertain.

    Unsubscribing and suppressing lock the same rows: the one that commits first is seen by the other, so
    no attempt is committed after a reader's unsubscribe was.
    """
    copies: list[Copy] = []
    try:
        with transaction.atomic():
            copies = _record(batch, merger, lease_seconds)
    except LOST:
        if not copies:
            raise  # before the commit: nothing is on record, and the lease frees the rows
        copies = _read_back(copies, batch, lease_seconds, patience)
    return copies


def _record(batch: claims.Batch, merger: merge.Merger, lease_seconds: int) -> list[Copy]:
    if not _hold_issue(batch.issue_id):
        claims.release(batch=batch)
        return []
    copies, broken = merger.copies(rows=_hold_readers(batch))
    # A second statement, so that it sees what was committed while the locks were waited for.
    ours = _attempt([copy.delivery_id for copy in copies], batch, merger, lease_seconds)
    if len(ours) < len(batch.ids):
        _mark_broken(broken, batch)
        _suppress_rest(batch, merger.issue)
    return [copy for copy in copies if copy.delivery_id in ours]


def _read_back(
    copies: list[Copy], batch: claims.Batch, lease_seconds: int, patience: float | None = None
) -> list[Copy]:
    """The copies whose attempt was committed after all, with a new lease."""
    deadline = time.monotonic() + (lease_seconds if patience is None else patience)
    ids = [copy.delivery_id for copy in copies]
    while True:
        connection.close()
        try:
            with transaction.atomic():
                rows = prepared_statements.rows(IN_DOUBT, [prepared_statements.array(ids), batch.fence])
                recorded = {int(row[0]) for row in rows if row[1] == Delivery.State.ATTEMPTING}
                prepared_statements.count(RENEW, [lease_seconds, prepared_statements.array(recorded), batch.fence])
            break
        except LOST:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
    log.warning("the database was away in a commit: %s of %s attempts are on record", len(recorded), len(ids))
    return [copy for copy in copies if copy.delivery_id in recorded]


def renew(*, batches: Collection[claims.Batch], lease_seconds: int) -> int:
    """Extend the lease of what is attempted and not yet settled; return how many copies that is."""
    return sum(
        prepared_statements.count(RENEW, [lease_seconds, prepared_statements.array(one.ids), one.fence])
        for one in batches
    )


def withdrawn_story(*, issue_id: int) -> str | None:
    """The headline of a story in the issue, or in a variant of it, that is no longer public, if there is one."""
    return _gone(issue_id).first() or variants.withdrawn(issue_id=issue_id).first()


def _gone(issue_id: int) -> QuerySet[IssueItem, str]:
    gone = IssueItem.objects.filter(issue_id=issue_id).gone()
    return gone.order_by("pk").values_list("article__headline", flat=True)[:1]


def _hold_issue(issue_id: int) -> bool:
    """Whether the issue is being sent."""
    sql, parameters = _hold(issue_id)
    for state, headline in prepared_statements.rows(sql, [*parameters, issue_id]):
        if state == Issue.State.SENDING and headline is not None:
            raise StoryWithdrawn(headline)
        return bool(state == Issue.State.SENDING)
    return False


@functools.lru_cache(maxsize=16)
def _hold(issue_id: int) -> tuple[str, tuple[Any, ...]]:
    """HOLD_ISSUE of this issue: written once, since a lane asks for every batch."""
    gone, parameters = _gone(issue_id).query.sql_with_params()
    translations, more = variants.withdrawn(issue_id=issue_id).query.sql_with_params()
    return HOLD_ISSUE.format(gone=gone, translations=translations), (*parameters, *more)


def _hold_readers(batch: claims.Batch) -> list[merge.Row]:
    rows = prepared_statements.rows(HOLD_READERS, [prepared_statements.array(batch.ids), batch.fence])
    return [*map(merge.Row._make, rows)]


def _attempt(ids: list[int], batch: claims.Batch, merger: merge.Merger, lease_seconds: int) -> set[int]:
    """Record the attempt for those of the rows whose readers may be mailed now; return their ids."""
    mailable, parameters = merger.mailable
    # The subquery is the ORM's own SQL; every value in it is a parameter.
    values = [lease_seconds, prepared_statements.array(ids), batch.fence, *parameters]
    return {row[0] for row in prepared_statements.rows(RECORD.format(mailable=mailable), values)}


def _held(batch: claims.Batch) -> Q:
    return Q(pk__in=batch.ids, state=Delivery.State.CLAIMED, fence=batch.fence)


def _mark_broken(ids: list[int], batch: claims.Batch) -> None:
    if not ids:
        return
    log.error("%s copies of issue %s did not render", len(ids), batch.issue_id)
    broken = Delivery.objects.under_way().filter(_held(batch), pk__in=ids)
    broken.filter(render_failures__gte=RENDER_TRIES - 1).update(
        state=Delivery.State.RENDER_FAILED,
        **delivery_reasons.columns(DeliveryReason.NOT_BUILT),
        render_failures=F("render_failures") + 1,
        settled_at=Now(),
        lease_until=None,
    )
    broken.update(state=Delivery.State.PENDING, render_failures=F("render_failures") + 1, lease_until=None)


def _suppress_rest(batch: claims.Batch, issue: Issue) -> None:
    """What is still claimed is not eligible: say why, and never mail it."""
    rest = Delivery.objects.under_way().filter(_held(batch))
    for condition, reason in _reasons(issue):
        rest.filter(condition).update(
            state=Delivery.State.SUPPRESSED, settled_at=Now(), lease_until=None, **delivery_reasons.columns(reason)
        )


def _reasons(issue: Issue) -> list[tuple[Q, DeliveryReason]]:
    """Each reason not to mail, asked in this order; the last one holds for whatever is left."""
    own = Subscription.objects.filter(newsletter_id=issue.newsletter_id)
    confirmed = own.filter(state=Subscription.State.CONFIRMED)
    wanted = confirmed.filter(cadence=issue.cadence) if issue.cadence else confirmed
    paused = wanted.filter(paused_until__gt=Now())
    return [
        (Q(subscriber__isnull=True), DeliveryReason.ERASED),
        (~Q(subscriber_id__in=confirmed.values("subscriber_id")), DeliveryReason.UNSUBSCRIBED),
        (~Q(subscriber_id__in=wanted.values("subscriber_id")), DeliveryReason.CADENCE_CHANGED),
        (Q(subscriber_id__in=paused.values("subscriber_id")), DeliveryReason.READER_PAUSED),
        (Q(subscriber_id__in=wanted.behind().values("subscriber_id")), DeliveryReason.TEXT_NOT_AGREED),
        (Q(), DeliveryReason.SUPPRESSED),
    ]
