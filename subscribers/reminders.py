"""One reminder for a sign-up that nobody confirmed, and never a second.

The form can be filled in with anybody's address, so a reminder is a mail that its reader may not want: it goes out
once per mailbox in 30 days, over any number of sign-ups, and only where the first letter arrived.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from mailkit import addresses
from subscribers import erasure, links, suppression, throttle
from subscribers.letters import queue
from subscribers.models import Letter, Reminder, Subscriber, Subscription

AGAIN = timedelta(days=30)
# Later, the link in the letter would outlive the request.
LATEST = erasure.KEEP_UNCONFIRMED - links.CONFIRM_AGE

MARK = """
INSERT INTO subscribers_reminder AS reminder (mailbox_hash, asked_at) VALUES (%s, %s)
ON CONFLICT (mailbox_hash) DO UPDATE SET asked_at = excluded.asked_at WHERE reminder.asked_at < %s
"""


def queue_due(*, now: datetime) -> int:
    """Queue a letter for each sign-up that has waited for settings.REMIND_AFTER; return how many.

    Nobody is reminded who was asked for permission, left before, is suppressed or was reminded within 30 days, whose
    first letter did not arrive, or whose mailbox, provider or site is over a limit of sign-ups. Safe to repeat.
    """
    if not settings.REMIND_AFTER:
        return 0
    owners = Subscriber.objects.filter(Exists(_waiting(now).filter(subscriber=OuterRef("pk"))))
    return sum(_remind(owner, now) for owner in owners.order_by("pk").values_list("pk", flat=True))


def forget_old(*, now: datetime) -> int:
    """Delete the reminders that no longer keep another one back; return how many."""
    deleted, _ = Reminder.objects.filter(asked_at__lt=now - AGAIN).delete()
    return deleted


def _waiting(now: datetime) -> QuerySet[Subscription]:
    """Requests of the form that are due for a reminder, as far as they themselves say."""
    about = Letter.objects.filter(subscriptions=OuterRef("pk"))
    return Subscription.objects.filter(
        Exists(about.filter(kind=Letter.Kind.CONFIRM, state=Letter.State.SENT)),
        ~Exists(about.filter(kind=Letter.Kind.CONFIRM).exclude(state=Letter.State.SENT)),
        ~Exists(about.filter(kind__in=[Letter.Kind.PERMISSION, Letter.Kind.REMINDER])),
        state=Subscription.State.PENDING,
        unsubscribed_at__isnull=True,
        requested_at__lte=now - settings.REMIND_AFTER,
        requested_at__gt=now - LATEST,
    )


@transaction.atomic
def _remind(subscriber_id: int, now: datetime) -> bool:
    """Queue the reminder of one reader, unless they acted meanwhile or must not be reminded."""
    reader = Subscriber.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=subscriber_id).first()
    requests = list(_waiting(now).filter(subscriber=reader)) if reader else []
    if reader is None or not requests or suppression.is_suppressed(reader.address_key):
        return False
    mailbox = addresses.normalise(reader.address)
    if not _mark(mailbox, now):
        return False
    if not throttle.reminder(address=mailbox):
        transaction.set_rollback(True)
        return False
    queue.enqueue(kind=Letter.Kind.REMINDER, subscriber=reader, subscriptions=requests, now=now)
    return True


def _mark(mailbox: addresses.Address, now: datetime) -> bool:
    """Whether this mailbox may be reminded: then it is noted that it was."""
    key = addresses.keyed_hash(addresses.throttle_key(mailbox))
    with connection.cursor() as cursor:
        cursor.execute(MARK, [key, now, now - AGAIN])
        return bool(cursor.rowcount)
