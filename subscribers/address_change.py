"""Change of address: a reader asks, both mailboxes agree, and mail goes to the new one.

Who asks holds a link that was mailed to the present mailbox. That mail may have been forwarded, so the present mailbox
is asked again, in a letter of its own; and the new one proves that it is the reader's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from core import database_clock
from mailkit import addresses
from subscribers import consent, links, suppression
from subscribers.address_change_model import End
from subscribers.letters import queue
from subscribers.models import AddressChange, ConsentEvent, Letter, Subscriber

SOURCE: Final = "change_of_address"


AGREED_AT: Final[Mapping[End, str]] = {End.FORMER: "former_agreed_at", End.NEW: "new_agreed_at"}


class SameAddress(ValueError):
    """The reader is written to there already."""


class AddressTaken(Exception):
    """The new mailbox has subscriptions of its own; str() says what to do."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the change is: what the holder of this link has agreed to, and whether it is done."""

    change: AddressChange
    end: End

    @property
    def is_agreed(self) -> bool:
        """Whether this mailbox has agreed."""
        return getattr(self.change, AGREED_AT[self.end]) is not None

    @property
    def is_done(self) -> bool:
        """Whether mail goes to the new mailbox."""
        return self.change.done_at is not None


def ask(*, subscriber: Subscriber, address: addresses.Address, now: datetime, dry_run: bool = False) -> None:
    """Have a letter ask each of the two mailboxes; an earlier wish of this reader is forgotten.

    Nothing tells whether the new address is known here: the same is done for every one. A `dry_run` does the same
    work and keeps nothing: over a limit the answer takes as long as any other. On failure: SameAddress.
    """
    if address.key == subscriber.address_key:
        raise SameAddress(_("We write to this address already."))
    now = database_clock.not_ahead(moment=now)
    with transaction.atomic():
        with transaction.atomic():
            letters = _ask(subscriber, address, now)
            transaction.set_rollback(dry_run)
        if dry_run:
            for letter in letters:
                queue.wake(letter_id=letter.pk)


def look(*, token: str) -> Standing:
    """What the link's mailbox is asked. On failure: LinkRefused."""
    claim = links.read_address(token)
    change = AddressChange.objects.select_related("subscriber").filter(uuid=claim.change_uuid).first()
    if change is None:
        raise links.LinkRefused(expired=True)
    return Standing(change, claim.end)


def agree(*, token: str, evidence: consent.Evidence, now: datetime) -> Standing:
    """Note that this mailbox agrees; the second of the two to do so changes the address.

    After the change: the record of consent has the act under both addresses, the proofs of the reader's subscriptions
    hold as before, and links to the preferences in older mails are stale. A second press changes nothing.
    On failure: LinkRefused; AddressTaken, when nothing was changed.
    """
    reader = look(token=token).change.subscriber_id
    with transaction.atomic():
        subscriber = Subscriber.objects.select_for_update().get(pk=reader)
        standing = look(token=token)
        if not standing.is_agreed:
            change = standing.change
            setattr(change, AGREED_AT[standing.end], now)
            if change.former_agreed_at and change.new_agreed_at:
                _carry_out(change, subscriber, evidence, now)
            change.save()
    return standing


def forget_old(*, now: datetime) -> int:
    """Delete wishes whose links are too old, carried out or not; return how many."""
    deleted, _models = AddressChange.objects.filter(asked_at__lt=now - links.ADDRESS_AGE).delete()
    return deleted


def _ask(subscriber: Subscriber, address: addresses.Address, now: datetime) -> list[Letter]:
    locked = Subscriber.objects.select_for_update(no_key=True).get(pk=subscriber.pk)
    AddressChange.objects.filter(subscriber=locked).delete()
    AddressChange.objects.create(subscriber=locked, address=address.address, address_key=address.key, asked_at=now)
    kinds = (Letter.Kind.FORMER_ADDRESS, Letter.Kind.NEW_ADDRESS)
    return [queue.enqueue(kind=kind, subscriber=locked, now=now) for kind in kinds]


def _carry_out(change: AddressChange, subscriber: Subscriber, evidence: consent.Evidence, now: datetime) -> None:
    if Subscriber.objects.filter(address_key=change.address_key).exists():
        raise AddressTaken(
            _("The new address has subscriptions of its own here. Please end those first, or those of the former one.")
        )
    new_hash = addresses.keyed_hash(change.address_key)
    acts = [
        consent.Act(ConsentEvent.Kind.ADDRESS_CHANGED, subscriber.uuid, address_hash)
        for address_hash in (subscriber.address_hash, new_hash)
    ]
    consent.append(acts=acts, evidence=evidence, now=now)
    Subscriber.objects.filter(pk=subscriber.pk).update(
        address=change.address,
        address_key=change.address_key,
        address_hash=new_hash,
        token_version=F("token_version") + 1,
    )
    suppression.lift_own(address_hash=new_hash)
    change.done_at = now
