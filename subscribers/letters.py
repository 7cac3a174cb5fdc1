"""Queues letters: a row in the transaction of the act that it reports, then a hint to the workers."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from subscribers import tasks
from subscribers.models import Letter, Subscriber, Subscription

BATCH = 2_000


def queue(
    *, kind: Letter.Kind, subscriber: Subscriber, subscriptions: Iterable[Subscription] = (), now: datetime
) -> Letter:
    """Make the row of one letter and wake a worker once the transaction commits.

    The row alone guarantees the letter: a worker that is not woken, because the
    broker is away or forgets, finds it within a minute.
    """
    letter = Letter.objects.create(kind=kind, subscriber=subscriber, due_at=now, created_at=now)
    _about([letter], [list(subscriptions)])
    wake(letter_id=letter.pk)
    return letter


def wake(*, letter_id: int) -> None:
    """Wake a worker for one letter once the transaction commits; one that is not there is nobody's loss."""
    tasks.send_letter.delay_on_commit(letter_id)  # type: ignore[attr-defined]  # celery-types does not know Celery's Django task


def queue_many(*, kind: Letter.Kind, subscriptions: Sequence[Subscription], now: datetime) -> list[Letter]:
    """One letter per subscription, in bulk and without waking anybody: the clock sends them in turn."""
    rows = [Letter(kind=kind, subscriber_id=row.subscriber_id, due_at=now, created_at=now) for row in subscriptions]
    made = Letter.objects.bulk_create(rows, batch_size=BATCH)
    _about(made, [[row] for row in subscriptions])
    return made


def _about(made: Sequence[Letter], subjects: Sequence[Sequence[Subscription]]) -> None:
    through = Letter.subscriptions.through
    through.objects.bulk_create(
        [
            through(letter_id=letter.pk, subscription_id=subscription.pk)
            for letter, subscriptions in zip(made, subjects, strict=True)
            for subscription in subscriptions
        ],
        batch_size=BATCH,
    )
