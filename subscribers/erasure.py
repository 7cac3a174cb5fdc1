"""The right to erasure: deletes all data of a person but the consent record and a hash that blocks further mail."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from mailkit import addresses
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import consent, import_erasure, noes, permissions, privacy, suppression
from subscribers.models import ConsentEvent, Letter, Reminder, Subscriber, Subscription, Suppression

KEEP_UNCONFIRMED = timedelta(days=7)
BATCH = 500


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure found: whether a subscriber was deleted, and how many acts of consent stay by hash."""

    deleted: bool
    acts_kept: int


def erase(*, address_key: str, evidence: consent.Evidence, actor: AbstractBaseUser | None, now: datetime) -> Erasure:
    """Delete the person; afterwards nothing but keyed hashes tells that they were here.

    Subscriptions and letters go with the subscriber; copies of issues lose their
    reader but still count. Network addresses of their acts are deleted. The
    suppression `erased` keeps imports from bringing them back; only they can lift
    it, by subscribing again and confirming. So are addresses that the person had before and that nobody else has now.
    An unknown address is suppressed too.
    While an audience that they belong to is being planned it waits. On failure: OperationalError, when that takes
    longer than a lock is waited for; then nothing has changed.
    """
    permissions.require_all(permissions.ERASE, user=actor)
    address_hash = addresses.keyed_hash(address_key)
    with transaction.atomic():
        subscriber = Subscriber.objects.select_for_update().filter(address_key=address_key).first()
        _forget_reminder(address_key)
        return _erase(subscriber, address_hash, evidence, actor, now)


def erase_again(*, reader: str, address_hash: str, evidence: consent.Evidence, now: datetime) -> bool:
    """Repeat an erasure that a restored database has forgotten; whether it knew the person.

    There they may have an earlier address; who else has the mailbox there is the same person.
    """
    with transaction.atomic():
        rows = Subscriber.objects.select_for_update().filter(Q(uuid=reader) | Q(address_hash=address_hash))
        known = list(rows.order_by("pk"))
        for subscriber in known:
            _erase(subscriber, address_hash, evidence, None, now)
        if not known:
            _erase(None, address_hash, evidence, None, now)
    return bool(known)


def _erase(
    subscriber: Subscriber | None,
    address_hash: str,
    evidence: consent.Evidence,
    actor: AbstractBaseUser | None,
    now: datetime,
) -> Erasure:
    theirs = _addresses_of(subscriber) | {address_hash}
    # Each address has its act, also one that nobody had here: the files of imports are searched for them, and the
    # journal outside of the database has them.
    who = subscriber.uuid if subscriber else uuid.uuid4()
    acts = [consent.Act(ConsentEvent.Kind.ERASED, who, one) for one in sorted(theirs)]
    consent.append(acts=acts, evidence=evidence, now=now)
    Reminder.objects.filter(mailbox_hash__in=theirs).delete()
    if subscriber is not None:
        _forget_reminder(subscriber.address_key)
        number = subscriber.pk
        subscriber.delete()
        # The audit log names a reader by the number, which the deletion took from the object.
        subscriber.pk = number
    privacy.forget_origins(address_hashes=theirs, now=now)
    for one in sorted(theirs):
        suppression.suppress_hash(address_hash=one, reason=Suppression.Reason.ERASED, now=now)
    acts_kept = ConsentEvent.objects.filter(address_hash__in=theirs).count()
    audit.record(
        action=AuditAction.READER_ERASED,
        actor=actor,
        target=subscriber,
        now=now,
        source=evidence.source,
        acts=acts_kept,
    )
    noes.write_noes.delay_on_commit()  # type: ignore[attr-defined]  # as below
    import_erasure.clean_lists.delay_on_commit()  # type: ignore[attr-defined]  # celery-types does not know Celery's Django task
    return Erasure(deleted=subscriber is not None, acts_kept=acts_kept)


def _forget_reminder(address_key: str) -> None:
    mailbox = addresses.Address(address_key, address_key, address_key.rpartition("@")[2])
    Reminder.objects.filter(mailbox_hash=addresses.keyed_hash(addresses.throttle_key(mailbox))).delete()


def _addresses_of(subscriber: Subscriber | None) -> set[str]:
    """The keyed hashes of all addresses that this person had, but for those that are somebody else's now."""
    if subscriber is None:
        return set()
    had = ConsentEvent.objects.filter(subscriber_uuid=subscriber.uuid).values_list("address_hash", flat=True)
    others = Subscriber.objects.exclude(pk=subscriber.pk).filter(address_hash__in=had.distinct())
    return set(had) - set(others.values_list("address_hash", flat=True))


def forget_unconfirmed(*, now: datetime) -> int:
    """Drop requests that nobody confirmed within seven days; return how many subscriptions that were.

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
        # A concurrent sign-up either commits first and is seen, or waits for this lock. Readers of an audience that is
        # being planned are left for the next minute.
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
