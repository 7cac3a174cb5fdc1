"""The right to be forgotten: everything about a person goes, but the proof and the promise not to write again."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import OperationalError, transaction
from django.db.models import Exists, F, OuterRef
from django.utils.translation import gettext_lazy as _

from core import locks
from mailkit import addresses
from subscribers import consent, privacy, suppression
from subscribers.models import ConsentEvent, Letter, Subscriber, Subscription, Suppression

KEEP_UNCONFIRMED = timedelta(days=7)
BATCH = 500

# Held shared by code that refers to readers without a foreign key, and exclusively by code that deletes one.
READERS_LOCK: Final = "readers are kept"
# A portion of a large audience may take half of this to plan.
PATIENCE_SECONDS = 60.0
ASK_AGAIN_SECONDS = 0.1


class Kept(OperationalError):
    """Nobody can be deleted now; str() is a sentence that says what to do. A page answers it as any busy database."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure found: whether a subscriber was deleted, and how many acts of consent stay by hash."""

    deleted: bool
    acts_kept: int


def erase(*, address_key: str, evidence: consent.Evidence, now: datetime) -> Erasure:
    """Delete the person; afterwards nothing but keyed hashes tells that they were here.

    Subscriptions and letters go with the subscriber; copies of issues lose their
    reader but still count. Network addresses of their acts are deleted. The
    suppression `erased` keeps imports from bringing them back; only they can lift
    it, by subscribing again and confirming. An unknown address is suppressed too.
    While an audience is being planned it waits. On failure: Kept, after a minute; then nothing has changed.
    """
    address_hash = addresses.keyed_hash(address_key)
    with transaction.atomic():
        _wait_for_keepers()
        subscriber = Subscriber.objects.select_for_update().filter(address_key=address_key).first()
        if subscriber is not None:
            consent.record(
                subscriber=subscriber, newsletter=None, event=ConsentEvent.Kind.ERASED, evidence=evidence, now=now
            )
            subscriber.delete()
        privacy.forget_origins(address_hash=address_hash, now=now)
        suppression.suppress_hash(address_hash=address_hash, reason=Suppression.Reason.ERASED, now=now)
        acts = ConsentEvent.objects.filter(address_hash=address_hash).count()
    return Erasure(deleted=subscriber is not None, acts_kept=acts)


def keep_readers() -> None:
    """From here to the end of the transaction no reader is deleted."""
    locks.share_until_commit(READERS_LOCK)


def _wait_for_keepers() -> None:
    """Return when nobody keeps readers. First of all in a transaction: nobody may wait for what it holds meanwhile.

    It polls, since a session that queues for a lock blocks all that come after it.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _nobody_keeps_readers():
        if time.monotonic() > deadline:
            raise Kept(_("The readers of a large issue are being chosen. Try again in a minute."))
        time.sleep(ASK_AGAIN_SECONDS)


def _nobody_keeps_readers() -> bool:
    return locks.try_until_commit(READERS_LOCK)


def forget_unconfirmed(*, now: datetime) -> int:
    """Drop requests that nobody confirmed within seven days; return how many subscriptions that were.

    None while an audience is being planned: the next minute will do.

    A reader who had left earlier is put back to unsubscribed, because an import
    must go on seeing that. People who were imported and asked for permission stay
    pending, so that a second import does not ask them again.
    """
    stale = Subscription.objects.filter(
        ~Exists(Letter.objects.filter(subscriptions=OuterRef("pk"), kind=Letter.Kind.PERMISSION)),
        state=Subscription.State.PENDING,
        requested_at__lt=now - KEEP_UNCONFIRMED,
    )
    with transaction.atomic():
        if not _nobody_keeps_readers():
            return 0
        # Locked as `signup` locks them, so that a request of this very moment is seen or waits.
        owners = list(
            Subscriber.objects.select_for_update(skip_locked=True).filter(
                Exists(stale.filter(subscriber=OuterRef("pk")))
            )[:BATCH]
        )
        mine = stale.filter(subscriber__in=owners)
        ended = mine.filter(unsubscribed_at__isnull=False).update(
            state=Subscription.State.UNSUBSCRIBED, request_number=F("request_number") + 1
        )
        _, deleted = mine.delete()
        nothing_left = ~Exists(Subscription.objects.filter(subscriber=OuterRef("pk")))
        Subscriber.objects.filter(nothing_left, pk__in=[owner.pk for owner in owners]).delete()
    return ended + deleted.get("subscribers.Subscription", 0)
