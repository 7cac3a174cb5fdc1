"""Less often: a publisher moves all readers of one cadence to a lower one, and each can have it back by one press.

Never to a higher one: neither the form, nor this module, nor the database knows such a move (docs/decisions/0179).

The subscriptions are the queue. A worker takes the next readers, and in one transaction moves them, writes the act
into the record of consent, and queues their letter; one that dies leaves whole batches only, and the next goes on.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from celery import shared_task
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, F, OuterRef, Q, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from core import database_clock
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import cadence_options, consent, permissions, preferences
from subscribers.letters import queue
from subscribers.models import (
    Cadence,
    ConsentEvent,
    Letter,
    Newsletter,
    ReducedSubscription,
    Reduction,
    Subscriber,
    Subscription,
    SubscriptionQuerySet,
)
from subscribers.reduction_model import lower_than

BATCH: Final = 500
# Less than a task may take: the rest is for the next one.
SECONDS_AT_ONCE: Final = 60.0
# Of acts of consent: the publication moves readers, and the button takes the move of one back.
SOURCE_OF_MOVE, SOURCE_OF_BUTTON = "publication", "kept"
ONE_DAY: Final = [str(day) for day in range(7)]


class CannotReduce(Exception):
    """The readers cannot be moved; str() is one sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Move:
    """A move that is possible: how many readers it would move, and how many of those chose their cadence by hand."""

    before: Cadence
    after: Cadence
    readers: int
    chose: int


class Standing(StrEnum):
    """What the button in the letter can do for its reader."""

    CAN_KEEP = "can_keep"
    TAKEN_BACK = "taken_back"
    # The reader left, came back, or chose another cadence since.
    OVERTAKEN = "overtaken"
    NOT_OFFERED = "not_offered"


def moves(*, newsletter: Newsletter) -> list[Move]:
    """From each offered cadence that has readers to each lower one that is offered."""
    offered = [Cadence(value) for value, _words in cadence_options.cadences_of(newsletter)]
    pairs = [(before, after) for before in offered for after in lower_than(before) if after in offered]
    counted = [
        (before, after, _movable(newsletter, before, after).aggregate(
            readers=Count("pk"), chose=Count("pk", filter=Q(consent_event__source="preferences"))
        ))
        for before, after in pairs
    ]  # fmt: skip
    return [Move(before, after, **numbers) for before, after, numbers in counted if numbers["readers"]]


def begin(
    *, newsletter: Newsletter, before: str, after: str, actor: AbstractBaseUser | None, now: datetime
) -> Reduction:
    """Have a worker move the readers who get `before` now to `after`, and write to each of them.

    Who asked for a cadence after this moment is left alone. On failure: CannotReduce.
    """
    permissions.require(permissions.MOVE, user=actor, newsletter=newsletter.pk)
    now = database_clock.not_ahead(moment=now)
    offered = dict(cadence_options.cadences_of(newsletter))
    if before not in Cadence.values or after not in offered or after not in lower_than(before):
        raise CannotReduce(_("Choose a cadence that is offered and comes less often."))
    if _letters_wait(newsletter, now):
        raise CannotReduce(_("The letters about the last move have not all left. Wait until they have."))
    try:
        with transaction.atomic():
            reduction = Reduction.objects.create(
                newsletter=newsletter, before=before, after=after, created_at=now,
                readers=_movable(newsletter, before, after).count(),
            )  # fmt: skip
            audit.record(
                action=AuditAction.READERS_MOVED, actor=actor, target=newsletter, now=now,
                before=before, after=after, readers=reduction.readers,
            )  # fmt: skip
            run_reduction.delay_on_commit(reduction.pk)  # type: ignore[attr-defined]  # celery-types does not know Celery's Django task
    except IntegrityError:
        raise CannotReduce(_("Readers of it are being moved already. Wait until that is done.")) from None
    return reduction


@shared_task
def run_reduction(reduction_id: int) -> None:
    """Move readers, as far as one task may; the next one goes on."""
    if work(reduction_id=reduction_id, clock=database_clock.now):
        run_reduction.delay(reduction_id)


def sweep() -> None:
    """Wake workers for moves that are not done."""
    for pk in Reduction.objects.filter(finished_at=None).values_list("pk", flat=True):
        run_reduction.delay(pk)


def work(*, reduction_id: int, clock: Callable[[], datetime]) -> bool:
    """Move readers, unless another worker does; return whether more is to be done."""
    deadline = time.monotonic() + SECONDS_AT_ONCE
    while _batch(reduction_id, clock()):
        if time.monotonic() > deadline:
            return True
    return False


def standing(*, moved: ReducedSubscription) -> Standing:
    """What `keep` would do now."""
    row, move = moved.subscription, moved.reduction
    if moved.kept_at is not None:
        return Standing.TAKEN_BACK
    came_back = row.confirmed_at is None or row.confirmed_at > moved.moved_at
    if row.state != Subscription.State.CONFIRMED or row.cadence != move.after or came_back:
        return Standing.OVERTAKEN
    is_offered = move.before in dict(cadence_options.cadences_of(row.newsletter))
    return Standing.CAN_KEEP if is_offered else Standing.NOT_OFFERED


def keep(*, moved: ReducedSubscription, evidence: consent.Evidence, now: datetime) -> Standing:
    """Give the reader the former cadence back, once; return what it did.

    Nothing is changed for who left, or chose otherwise, since the move. After: the act is in the record of consent,
    and no later move includes the subscription.
    """
    with transaction.atomic():
        Subscriber.objects.select_for_update(no_key=True).get(pk=moved.subscription.subscriber_id)
        moved.refresh_from_db(fields=["kept_at"])
        moved.subscription.refresh_from_db()
        possible = standing(moved=moved)
        if possible is not Standing.CAN_KEEP:
            return possible
        try:
            preferences.change_cadence(
                subscription=moved.subscription, cadence=moved.reduction.before, days=moved.days, evidence=evidence,
                now=now,
            )  # fmt: skip
        except preferences.NotOffered:
            return Standing.NOT_OFFERED
        moved.kept_at = now
        moved.save(update_fields=["kept_at"])
    return Standing.TAKEN_BACK


def mail_again(*, moved: ReducedSubscription, now: datetime) -> Letter:
    """Mail the letter once more, for a reader whose link is too old."""
    subscription = moved.subscription
    return queue.enqueue(
        kind=Letter.Kind.REDUCED, subscriber=subscription.subscriber, subscriptions=[subscription], now=now
    )


def _movable(newsletter: Newsletter, before: str, after: str) -> SubscriptionQuerySet:
    """Whom a move would move: readers of the cadence who can be written to.

    Not those who once asked to keep what a move had taken, nor whose daily digest comes on one weekday, which is no
    more than weekly.
    """
    asked_back = ReducedSubscription.objects.filter(subscription=OuterRef("pk"), kept_at__isnull=False)
    rows = Subscription.objects.filter(newsletter=newsletter, cadence=before).filter(~Exists(asked_back)).reachable()
    return rows.exclude(days__in=ONE_DAY) if after == Cadence.WEEKLY else rows


def _letters_wait(newsletter: Newsletter, now: datetime) -> bool:
    """Whether letters of an earlier move are still to leave; those to readers who paused wait for long."""
    due = Letter.objects.filter(kind=Letter.Kind.REDUCED, state=Letter.State.PENDING, due_at__lte=now)
    return due.filter(reduced__reduction__newsletter=newsletter).exists()


@transaction.atomic
def _batch(reduction_id: int, now: datetime) -> bool:
    """Move the next readers; False when none are left, or another worker is at it."""
    reduction = (
        Reduction.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
        .select_related("newsletter")
        .filter(pk=reduction_id, finished_at=None)
        .first()
    )
    if reduction is None:
        return False
    left = _movable(reduction.newsletter, reduction.before, reduction.after).filter(
        subscriber__gt=reduction.position, consent_event__occurred_at__lte=reduction.created_at
    )
    chosen = list(left.order_by("subscriber").values_list("subscriber", flat=True)[:BATCH])
    if not chosen or reduction.after not in dict(cadence_options.cadences_of(reduction.newsletter)):
        reduction.finished_at = now
        reduction.save(update_fields=["finished_at"])
        return False
    # In the order in which the engine locks readers. What they did meanwhile is seen by the second look.
    list(Subscriber.objects.select_for_update(no_key=True).filter(pk__in=chosen).order_by("pk").values("pk"))
    rows = left.filter(subscriber__in=chosen).select_related("subscriber", "newsletter").order_by("subscriber")
    _move(reduction, list(rows), now)
    reduction.position = chosen[-1]
    reduction.save(update_fields=["position"])
    return True


def _move(reduction: Reduction, rows: list[Subscription], now: datetime) -> None:
    """Move them, in the caller's transaction. Their consent stays their own act."""
    acts = [
        consent.Act(
            kind=ConsentEvent.Kind.REDUCED,
            subscriber_uuid=row.subscriber.uuid,
            address_hash=row.subscriber.address_hash,
            newsletter_slug=reduction.newsletter.slug,
            cadence=reduction.after,
            basis=f"{reduction.before} before",
        )
        for row in rows
    ]
    consent.append(acts=acts, evidence=consent.Evidence(source=SOURCE_OF_MOVE), now=now)
    letters = queue.enqueue_many(kind=Letter.Kind.REDUCED, subscriptions=rows, now=now)
    ReducedSubscription.objects.bulk_create(
        ReducedSubscription(reduction=reduction, subscription=row, letter=letter, days=row.days, moved_at=now)
        for row, letter in zip(rows, letters, strict=True)
    )
    Subscription.objects.filter(pk__in=[row.pk for row in rows]).update(
        cadence=reduction.after, days="", out_of_step_since=Coalesce(F("out_of_step_since"), Value(now))
    )
