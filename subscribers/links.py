"""The links in our mails: what each lets its holder do, and for how long.

A token names a subscriber by uuid and a newsletter by id, never an address, and
is good for one purpose. Possession of a mail is the only proof that readers give.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from mailkit import tokens
from publication import urls as site
from subscribers.address_change_model import End
from subscribers.models import AddressChange, Newsletter, ReducedSubscription, Subscriber, Subscription

CONFIRM, PREFERENCES, UNSUBSCRIBE, AGAIN, ADDRESS = "confirm", "preferences", "unsubscribe", "again", "address"
AGREE = "agree"
KEEP = "keep"
CONFIRM_AGE = timedelta(hours=72)
PREFERENCES_AGE = timedelta(hours=24)
AGAIN_AGE = timedelta(hours=1)
ADDRESS_AGE = timedelta(hours=72)
AGREE_AGE = timedelta(days=60)
# It can do no more than give back what its reader had, so it may wait for readers to come home from a journey.
KEEP_AGE = timedelta(days=30)


class LinkRefused(Exception):
    """The link does not work (any more). `expired` is for genuine links that became too old or stale."""

    def __init__(self, *, expired: bool) -> None:
        super().__init__(_("This link does not work any more.") if expired else _("This link is not valid."))
        self.expired = expired


class NothingLeft(LinkRefused):
    """The link is genuine, and what it would end is gone: its reader was erased, or never confirmed."""

    def __init__(self) -> None:
        super().__init__(expired=True)


@dataclass(frozen=True, slots=True)
class ConfirmClaim:
    """What a confirm link says: newsletter id -> the request that it answers."""

    subscriber_uuid: uuid.UUID
    token_version: int
    requests: Mapping[int, int]


def confirm_token(*, subscriptions: Iterable[Subscription]) -> str:
    """A token that confirms exactly these requests of one subscriber; good for 72 hours."""
    rows = list(subscriptions)
    requests = "-".join(f"{row.newsletter_id}.{row.request_number}" for row in rows)
    subscriber = rows[0].subscriber
    return tokens.sign(
        purpose=CONFIRM,
        payload={"s": subscriber.uuid.hex, "v": subscriber.token_version, "r": requests},
    )


def confirm_url(*, subscriptions: Iterable[Subscription]) -> str:
    """The whole address of the confirm page."""
    return site.absolute(reverse("confirm", args=[confirm_token(subscriptions=subscriptions)]))


def read_confirm(token: str) -> ConfirmClaim:
    """What the token claims. On failure: LinkRefused."""
    payload = _read(token, purpose=CONFIRM, max_age=CONFIRM_AGE)
    pairs = (pair.split(".") for pair in str(payload["r"]).split("-"))
    requests = {int(newsletter): int(number) for newsletter, number in pairs}
    return ConfirmClaim(_uuid(payload), int(payload["v"]), requests)


def unsubscribe_token(*, subscription: Subscription) -> str:
    """A token that never expires and can do nothing but end this one subscription, or have less come of it."""
    return unsubscribe_token_of(reader=subscription.subscriber.uuid.hex, newsletter_id=subscription.newsletter_id)


def unsubscribe_token_of(*, reader: str, newsletter_id: int) -> str:
    """The same for bulk mail, which knows no more of a reader than the 32 digits of the uuid."""
    return tokens.sign(purpose=UNSUBSCRIBE, payload={"s": reader, "n": newsletter_id})


def unsubscribe_url(*, subscription: Subscription) -> str:
    """The whole address for List-Unsubscribe and the foot of a mail."""
    return site.absolute(reverse("unsubscribe", args=[unsubscribe_token(subscription=subscription)]))


def read_unsubscribe(token: str) -> Subscription:
    """The subscription that this token can end, or have less come of.

    On failure: LinkRefused; NothingLeft for a genuine token. Its age and the subscriber's token
    version are not looked at: a way out must work for as long as the mail that offers it is kept.
    """
    payload = _read(token, purpose=UNSUBSCRIBE, max_age=None)
    try:
        return _subscription(payload)
    except LinkRefused:
        raise NothingLeft from None


def preferences_token(*, subscriber: Subscriber) -> str:
    """A token that opens this subscriber's preferences for 24 hours."""
    return preferences_token_of(reader=subscriber.uuid.hex, token_version=subscriber.token_version)


def preferences_token_of(*, reader: str, token_version: int) -> str:
    """The same for bulk mail, which knows no more of a reader than the 32 digits of the uuid."""
    return tokens.sign(purpose=PREFERENCES, payload={"s": reader, "v": token_version})


def preferences_url(*, subscriber: Subscriber) -> str:
    """The whole address of the preference page."""
    return site.absolute(reverse("preferences", args=[preferences_token(subscriber=subscriber)]))


def read_preferences(token: str, *, even_if_old: bool = False) -> Subscriber:
    """The subscriber whose preferences the token opens. On failure: LinkRefused.

    `even_if_old` accepts a token past its 24 hours: enough to mail a fresh one to
    its owner, and to nothing else.
    """
    payload = _read(token, purpose=PREFERENCES, max_age=None if even_if_old else PREFERENCES_AGE)
    row = Subscriber.objects.filter(uuid=_uuid(payload), token_version=payload["v"]).first()
    if row is None:
        raise LinkRefused(expired=False)
    return row


def again_token(*, subscription: Subscription) -> str:
    """A token that takes back one unsubscribe within the hour; a later change makes it stale."""
    return tokens.sign(
        purpose=AGAIN,
        payload={
            "s": subscription.subscriber.uuid.hex,
            "n": subscription.newsletter_id,
            "r": subscription.request_number,
        },
    )


def read_again(token: str) -> Subscription:
    """The subscription whose end may be taken back. On failure: LinkRefused."""
    payload = _read(token, purpose=AGAIN, max_age=AGAIN_AGE)
    row = _subscription(payload)
    if row.request_number != payload["r"]:
        raise LinkRefused(expired=True)
    return row


@dataclass(frozen=True, slots=True)
class AddressClaim:
    """What the link of a change of address says: which change, and which of the two mailboxes it was mailed to."""

    change_uuid: uuid.UUID
    end: End


def address_url(*, change: AddressChange, end: End) -> str:
    """The whole address of the page on which one of the two mailboxes agrees; good for 72 hours."""
    token = tokens.sign(purpose=ADDRESS, payload={"c": change.uuid.hex, "e": end.value})
    return site.absolute(reverse("change_of_address", args=[token]))


def read_address(token: str) -> AddressClaim:
    """What the token claims. On failure: LinkRefused."""
    payload = _read(token, purpose=ADDRESS, max_age=ADDRESS_AGE)
    return AddressClaim(uuid.UUID(payload["c"]), End(payload["e"]))


def agree_url(*, subscriber: Subscriber) -> str:
    """The whole address of the page on which a reader agrees to newer legal texts; good for 60 days."""
    token = tokens.sign(purpose=AGREE, payload={"s": subscriber.uuid.hex, "v": subscriber.token_version})
    return site.absolute(reverse("agree", args=[token]))


def read_agree(token: str) -> Subscriber:
    """The reader who may agree by it. On failure: LinkRefused."""
    payload = _read(token, purpose=AGREE, max_age=AGREE_AGE)
    row = Subscriber.objects.filter(uuid=_uuid(payload), token_version=payload["v"]).first()
    if row is None:
        raise LinkRefused(expired=False)
    return row


def keep_url(*, moved: ReducedSubscription) -> str:
    """The whole address of the page that gives a reader the former cadence back; good for 30 days."""
    reader = moved.subscription.subscriber
    token = tokens.sign(purpose=KEEP, payload={"s": reader.uuid.hex, "v": reader.token_version, "m": moved.pk})
    return site.absolute(reverse("keep", args=[token]))


def read_keep(token: str, *, even_if_old: bool = False) -> ReducedSubscription:
    """The reader's move that the token can undo. On failure: LinkRefused.

    `even_if_old` accepts a token past its 30 days: enough to mail a fresh one to its owner, and to nothing else.
    """
    payload = _read(token, purpose=KEEP, max_age=None if even_if_old else KEEP_AGE)
    rows = ReducedSubscription.objects.select_related(
        "reduction", "subscription__subscriber", "subscription__newsletter"
    )
    reader = {"subscription__subscriber__uuid": _uuid(payload), "subscription__subscriber__token_version": payload["v"]}
    row = rows.filter(pk=payload["m"], **reader).first()
    if row is None:
        raise LinkRefused(expired=False)
    return row


def newsletter_url(*, newsletter: Newsletter) -> str:
    """The whole address of a newsletter's page."""
    return site.absolute(newsletter.get_absolute_url())


def _read(token: str, *, purpose: str, max_age: timedelta | None) -> dict[str, Any]:
    try:
        return tokens.read(token, purpose=purpose, max_age=max_age)
    except tokens.BadToken as error:
        raise LinkRefused(expired=error.expired) from None


def _uuid(payload: Mapping[str, Any]) -> uuid.UUID:
    return uuid.UUID(payload["s"])


def _subscription(payload: Mapping[str, Any]) -> Subscription:
    rows = Subscription.objects.select_related("subscriber", "newsletter")
    row = rows.filter(subscriber__uuid=_uuid(payload), newsletter_id=payload["n"]).first()
    if row is None:
        raise LinkRefused(expired=False)
    return row
