"""Addresses that must not be mailed, stored as keyed hashes so that the list itself names nobody."""

from collections.abc import Collection, Mapping
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet

from mailkit import addresses
from publication.bulk_rows import any_of
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import permissions
from subscribers.models import Subscriber, Suppression

# `erased` says nothing against the mailbox, so every other reason outranks it.
WEAKEST = Suppression.Reason.ERASED
# What the owner of the mailbox lifts by asking for mail and confirming: both say nothing of what somebody wanted.
LIFTED_BY_OWNER = (Suppression.Reason.ERASED, Suppression.Reason.SOFT_BOUNCE)
# The stronger reason stays, in whichever order they come: what somebody said outweighs what a server said.
STRONGEST_FIRST = (
    Suppression.Reason.COMPLAINT,
    Suppression.Reason.MANUAL,
    Suppression.Reason.HARD_BOUNCE,
    Suppression.Reason.SOFT_BOUNCE,
    WEAKEST,
)


def suppress(
    *,
    address_key: str,
    reason: Suppression.Reason,
    note: str = "",
    actor: AbstractBaseUser | None,
    now: datetime,
) -> Suppression:
    """Stop all mail to this mailbox by hand and return the row; of several reasons the strongest stays."""
    permissions.require_all(permissions.BLOCK, user=actor)
    # The note outlives an erasure.
    note = addresses.hide(note)
    with transaction.atomic():
        row = suppress_hash(address_hash=addresses.keyed_hash(address_key), reason=reason, note=note, now=now)
        audit.record(action=AuditAction.ADDRESS_SUPPRESSED, actor=actor, target=row, now=now, reason=str(row.reason))
    return row


def suppress_hash(*, address_hash: str, reason: Suppression.Reason, note: str = "", now: datetime) -> Suppression:
    """`suppress` for a mailbox of which only the keyed hash is left."""
    with transaction.atomic():
        # The engine locks the reader's row while it records an attempt: the second to commit sees the first.
        list(Subscriber.objects.select_for_update(no_key=True).filter(address_hash=address_hash).values_list("pk"))
        row, created = Suppression.objects.get_or_create(
            address_hash=address_hash, defaults={"reason": reason, "note": note[:300], "created_at": now}
        )
        if not created and row.reason in _weaker_than(reason):
            Suppression.objects.filter(pk=row.pk, reason__in=_weaker_than(reason)).update(
                reason=reason, note=note[:300], created_at=now
            )
            row.refresh_from_db()
    return row


def suppress_many(*, reasons: Mapping[str, Suppression.Reason], note: str = "", now: datetime) -> None:
    """`suppress_hash` for many: keyed hash -> reason. The caller holds the rows of those who are readers here."""
    Suppression.objects.bulk_create(
        [
            Suppression(address_hash=address_hash, reason=reasons[address_hash], note=note[:300], created_at=now)
            for address_hash in sorted(reasons)
        ],
        ignore_conflicts=True,
    )
    for reason in sorted(set(reasons.values()) - {WEAKEST}):
        hashes = [address_hash for address_hash, given in reasons.items() if given == reason]
        Suppression.objects.filter(any_of("address_hash", hashes), reason__in=_weaker_than(reason)).update(
            reason=reason, note=note[:300], created_at=now
        )


def _weaker_than(reason: Suppression.Reason) -> tuple[Suppression.Reason, ...]:
    return STRONGEST_FIRST[STRONGEST_FIRST.index(reason) + 1 :]


def lift_bounces(*, address_hashes: Collection[str], since: datetime) -> int:
    """Allow mail again to those of the mailboxes that were suppressed for bounces since then; returns how many."""
    deleted, _ = bounced(address_hashes=address_hashes, since=since).delete()
    return deleted


def bounced(*, address_hashes: Collection[str], since: datetime) -> QuerySet[Suppression]:
    """The suppressions of these mailboxes that bounces led to, since then."""
    reasons = (Suppression.Reason.HARD_BOUNCE, Suppression.Reason.SOFT_BOUNCE)
    return Suppression.objects.filter(address_hash__in=address_hashes, reason__in=reasons, created_at__gte=since)


def lift(*, address_hash: str, actor: AbstractBaseUser | None, now: datetime, note: str = "") -> bool:
    """Allow mail to this mailbox again; False when it was not suppressed. The audit log has the `note`: why."""
    permissions.require_all(permissions.LIFT, user=actor)
    with transaction.atomic():
        row = Suppression.objects.select_for_update().filter(address_hash=address_hash).first()
        if row is None:
            return False
        Suppression.objects.filter(pk=row.pk).delete()
        Subscriber.objects.filter(address_hash=address_hash).update(bounces_since=now)
        audit.record(
            action=AuditAction.SUPPRESSION_LIFTED,
            actor=actor,
            target=row,
            now=now,
            reason=str(row.reason),
            note=addresses.hide(note),
        )
    return True


def lift_own(*, address_hash: str) -> bool:
    """Lift what its owner may: the person has just proved the mailbox and asked for mail."""
    deleted, _ = Suppression.objects.filter(address_hash=address_hash, reason__in=LIFTED_BY_OWNER).delete()
    return deleted > 0


def only_bounced(*, address_hash: str) -> bool:
    """Whether this mailbox gets no mail because copies to it came back again and again."""
    row = find(address_hash)
    return row is not None and row.reason == Suppression.Reason.SOFT_BOUNCE


def is_suppressed(address_key: str) -> bool:
    """Whether this mailbox must not be mailed."""
    return find(addresses.keyed_hash(address_key)) is not None


def among(*, address_hashes: Collection[str]) -> set[str]:
    """Those of the hashes that are suppressed."""
    rows = Suppression.objects.filter(any_of("address_hash", address_hashes))
    return set(rows.values_list("address_hash", flat=True))


def find(address_hash: str) -> Suppression | None:
    """The suppression of this hash, if there is one."""
    return Suppression.objects.filter(address_hash=address_hash).first()
