"""Queues letters: a row in the transaction of the act that it reports, then a wake-up for a worker."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import Max, QuerySet
from django.utils.translation import gettext as _

from core import database_clock
from publication import bulk_rows
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import permissions, tasks
from subscribers.models import Letter, Newsletter, Subscriber, Subscription

BATCH = 2_000
USUAL, FASTEST = 500, 100_000  # permission letters an hour; most of the complaints that an import earns come by them

RELEASE = """
UPDATE subscribers_letter AS letter
   SET state = 'pending', due_at = turn.due_at, created_at = turn.due_at
  FROM (SELECT id, %s::timestamptz + (row_number() OVER (ORDER BY id) - 1) * %s * interval '1 second' AS due_at
          FROM unnest(%s::bigint[]) AS id) AS turn
 WHERE letter.id = turn.id AND letter.state = 'held'
"""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How many letters leave, evenly, and when the first and the last do."""

    count: int
    first_at: datetime
    last_at: datetime


class BadRate(ValueError):
    """The rate is not possible; str() says which rates are."""


def enqueue(
    *, kind: Letter.Kind, subscriber: Subscriber, subscriptions: Iterable[Subscription] = (), now: datetime
) -> Letter:
    """Make the row of one letter and wake a worker once the transaction commits.

    The row alone guarantees the letter: a worker that is not woken, because the
    broker is away or forgets, finds it within a minute.
    """
    now = database_clock.not_ahead(moment=now)
    letter = Letter.objects.create(kind=kind, subscriber=subscriber, due_at=now, created_at=now)
    _about([letter], [list(subscriptions)])
    wake(letter_id=letter.pk)
    return letter


def wake(*, letter_id: int) -> None:
    """Wake a worker for one letter once the transaction commits; without one the sweeper sends it."""
    tasks.send_letter.delay_on_commit(letter_id)  # type: ignore[attr-defined]  # celery-types does not know Celery's Django task


def hold_many(*, kind: Letter.Kind, subscriptions: Sequence[tuple[int, int]], now: datetime) -> None:
    """One letter for each (subscription, subscriber), in bulk; none leaves before `release`."""
    now = database_clock.not_ahead(moment=now)
    letter = Letter(kind=kind, state=Letter.State.HELD, due_at=now, created_at=now)
    ids = bulk_rows.reserve(model=Letter, count=len(subscriptions))
    rows = [
        (number, str(uuid.uuid4()), subscriber)
        for number, (_subscription, subscriber) in zip(ids, subscriptions, strict=True)
    ]
    bulk_rows.copy_in(example=letter, varying=("id", "uuid", "subscriber_id"), rows=rows)
    through = Letter.subscriptions.through
    links = bulk_rows.reserve(model=through, count=len(subscriptions))
    about = [(link, number, row) for link, number, (row, _) in zip(links, ids, subscriptions, strict=True)]
    bulk_rows.copy_in(example=through(), varying=("id", "letter_id", "subscription_id"), rows=about)


def enqueue_many(*, kind: Letter.Kind, subscriptions: Sequence[Subscription], now: datetime) -> list[Letter]:
    """One letter per subscription, in bulk. No worker is woken: the next sweep, within a minute, sends them.

    Who wants no mail for a while gets it afterwards; the 72 hours within which it is tried begin then.
    """
    now = database_clock.not_ahead(moment=now)
    moments = [max(now, row.paused_until or now) for row in subscriptions]
    rows = [
        Letter(kind=kind, subscriber_id=row.subscriber_id, due_at=moment, created_at=moment)
        for row, moment in zip(subscriptions, moments, strict=True)
    ]
    waiting = Letter.objects.bulk_create(rows, batch_size=BATCH)
    _about(waiting, [[row] for row in subscriptions])
    return waiting


def put_off(*, subscription: Subscription, until: datetime) -> None:
    """A pause begins, or ends otherwise: the letter about its cadence that waits comes at its end."""
    Letter.objects.filter(
        kind=Letter.Kind.REDUCED, state=Letter.State.PENDING, attempts=0, subscriptions=subscription
    ).update(due_at=until, created_at=until)


def held(*, newsletter: Newsletter) -> int:
    """How many permission letters of this newsletter wait to be released."""
    return _held(newsletter).count()


def schedule(*, newsletter: Newsletter, per_hour: int, now: datetime) -> Schedule:
    """When the held permission letters would leave, `per_hour` of them in an hour. On failure: BadRate.

    They come behind those that were released before and still wait, so that two releases are no faster than one.
    """
    if not 1 <= per_hour <= FASTEST:
        raise BadRate(_("Choose a rate between 1 and %(fastest)s letters an hour.") % {"fastest": FASTEST})
    now = database_clock.not_ahead(moment=now)
    apart = timedelta(hours=1) / per_hour
    before = Letter.objects.filter(
        kind=Letter.Kind.PERMISSION, state=Letter.State.PENDING, attempts=0, subscriptions__newsletter=newsletter
    ).aggregate(last=Max("due_at"))["last"]
    first_at = max(now, before + apart) if before else now
    count = held(newsletter=newsletter)
    return Schedule(count=count, first_at=first_at, last_at=first_at + apart * max(count - 1, 0))


def release(*, newsletter: Newsletter, per_hour: int, actor: AbstractBaseUser | None, now: datetime) -> Schedule:
    """Let the held permission letters leave, evenly; return when. The oldest leave first.

    The 72 hours within which a letter is tried begin at its own time. On failure: BadRate.
    """
    permissions.require(permissions.CHANGE_NEWSLETTER, user=actor, newsletter=newsletter.pk)
    with transaction.atomic():
        waiting = list(_held(newsletter).select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
        released = schedule(newsletter=newsletter, per_hour=per_hour, now=now)
        with connection.cursor() as cursor:
            cursor.execute(RELEASE, [released.first_at, 3600 / per_hour, waiting])
        if waiting:
            audit.record(
                action=AuditAction.PERMISSION_RELEASED, actor=actor, target=newsletter, now=now,
                count=len(waiting), per_hour=per_hour,
            )  # fmt: skip
    return released


def _held(newsletter: Newsletter) -> QuerySet[Letter]:
    # One letter of an import is about one subscription, so the join doubles nothing.
    return Letter.objects.filter(state=Letter.State.HELD, subscriptions__newsletter=newsletter)


def _about(created: Sequence[Letter], subjects: Sequence[Sequence[Subscription]]) -> None:
    through = Letter.subscriptions.through
    through.objects.bulk_create(
        [
            through(letter_id=letter.pk, subscription_id=subscription.pk)
            for letter, subscriptions in zip(created, subjects, strict=True)
            for subscription in subscriptions
        ],
        batch_size=BATCH,
    )
