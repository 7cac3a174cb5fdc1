"""A mail that came back becomes what a provider's webhook would have reported, or an unsubscribe.

A notice names its copy by the signed return path. One that carries none at all is matched by the
Message-ID of the mail that it returns, a random uuid that nobody knows who did not have the copy.
One that carries only forged ones is ignored, like everything that reports nothing.
"""

import hashlib
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email import utils
from enum import Enum, auto
from typing import Final

from anymail.signals import AnymailTrackingEvent, EventType

from digests.feedback import events, processing, unsubscribe_mail
from digests.feedback.unsubscribe_mail import Wish
from digests.models import Delivery, DeliveryEvent
from mailkit import addresses
from postal import bounces, return_paths
from postal.notifications import notices
from postal.notifications.notices import Notice
from postal.notifications.reports import Fate, Kind
from subscribers import consent, links, signup
from subscribers.models import Letter, Subscriber, Subscription

log = logging.getLogger(__name__)

# What is said of one copy more often than this is noise, or somebody filling our tables.
MOST_EVENTS_PER_COPY: Final = 20
# Bytes in which the headers of a mail are looked for.
_HEAD: Final = 32 * 1024

_WORDS: Final[Mapping[Kind, str]] = {
    Kind.FAILED: EventType.BOUNCED,
    Kind.DELAYED: EventType.DEFERRED,
    Kind.DELIVERED: EventType.DELIVERED,
    Kind.COMPLAINT: EventType.COMPLAINED,
    Kind.UNSUBSCRIBE: EventType.UNSUBSCRIBED,
}
_FEEDBACK: Final = frozenset({Kind.COMPLAINT, Kind.UNSUBSCRIBE})


class Arrival(Enum):
    """What became of a mail."""

    RECORDED = auto()  # a new event is stored
    REPEATED = auto()  # it was stored before
    LEFT = auto()  # a reader asked to be taken off, and is
    IGNORED = auto()  # it reports nothing of ours

    @property
    def is_done(self) -> bool:
        """True when nobody will ever want to look at the mail."""
        return self is not Arrival.IGNORED


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a notice is about: a copy or a letter, and whose it was (None once erased)."""

    uuid: uuid.UUID
    reader: Subscriber | None
    left_at: datetime | None


def take(*, raw: bytes, envelope_to: str = "", now: datetime) -> Arrival:
    """Act on one mail that came back, in a transaction of its own that is committed on return.

    `envelope_to` is the address it was delivered to, where the door knows it. Whatever the mail
    holds, nothing is raised; a database that is away raises, and then nothing has changed.
    """
    wish = _wish(raw, envelope_to)
    if wish is not None:
        return _leave(wish, now)
    notice = notices.read(raw, is_addressed=_is_addressed(raw, envelope_to))
    if notice is None:
        return Arrival.IGNORED
    named = _identify(notice, envelope_to)
    subject = _find(named) if named else None
    if subject is None:
        log.info("a notice that came back is about no copy of ours")
        return Arrival.IGNORED
    return _record(notice, subject, now)


def _wish(raw: bytes, envelope_to: str) -> Wish | None:
    try:
        return unsubscribe_mail.read(raw[: notices.LOOKED_AT], envelope_to=envelope_to)
    except Exception as error:  # noqa: BLE001  # a stranger's bytes may make the parsers raise anything
        log.info("a mail could not be read (%s)", type(error).__name__)
        return None


def _leave(wish: Wish, now: datetime) -> Arrival:
    """As the button would. A mail that is read twice, or older than a new confirmation, ends nothing."""
    written = _moment(wish.taken_at)
    left = Arrival.IGNORED
    for subscription in _meant(wish):
        confirmed_at = subscription.confirmed_at
        if written and confirmed_at and written < confirmed_at - events.CLOCK_SKEW:
            continue
        evidence = consent.Evidence(basis="asked for by mail")
        signup.unsubscribe(subscription=subscription, evidence=evidence, reason="mail", now=now)
        left = Arrival.LEFT
    return left


def _meant(wish: Wish) -> list[Subscription]:
    """The subscriptions that the wish would end."""
    rows = Subscription.objects.select_related("subscriber", "newsletter")
    if wish.token:
        try:
            return [links.read_unsubscribe(wish.token)]
        except links.LinkRefused:
            return []
    if wish.reader is not None:
        return list(rows.filter(subscriber__uuid=wish.reader, newsletter_id=wish.newsletter_id))
    copy = Delivery.objects.filter(uuid__in=wish.answered).select_related("issue", "subscriber").first()
    if copy is not None:
        return list(rows.filter(subscriber=copy.subscriber, newsletter_id=copy.issue.newsletter_id))
    if letters := list(Letter.objects.filter(uuid__in=wish.answered)):
        return list(rows.filter(letters__in=letters).distinct())
    mailbox = _hash(wish.sender)
    return list(rows.filter(subscriber__address_hash=mailbox)) if mailbox else []


def _is_addressed(raw: bytes, envelope_to: str) -> bool:
    """Whether the mail came to a return path of ours: by its envelope, or by the headers that keep it."""
    head = raw[:_HEAD].replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("ascii", "replace")
    tokens = [token for text in (envelope_to, head) for token in return_paths.tokens_in(text)]
    return any(return_paths.read(token) for token in tokens[:10])


def _identify(notice: Notice, envelope_to: str) -> uuid.UUID | None:
    tokens = [token for text in (envelope_to, *notice.traces) for token in return_paths.tokens_in(text)]
    if tokens:
        return next(filter(None, map(return_paths.read, tokens[:10])), None)
    local, _, _ = notice.returned_id.strip("<>").partition("@")
    try:
        return uuid.UUID(local)
    except ValueError:
        return None


def _find(named: uuid.UUID) -> _Subject | None:
    copy = Delivery.objects.filter(uuid=named).select_related("subscriber", "issue").first()
    if copy is not None:
        return _Subject(named, copy.subscriber, copy.issue.started_at)
    letter = Letter.objects.filter(uuid=named).select_related("subscriber").first()
    return _Subject(named, letter.subscriber, None) if letter is not None else None


def _record(notice: Notice, subject: _Subject, now: datetime) -> Arrival:
    provider = "arf" if notice.kind in _FEEDBACK else "dsn"
    said_before = DeliveryEvent.objects.filter(delivery_uuid=subject.uuid, provider=provider)
    if said_before[:MOST_EVENTS_PER_COPY].count() >= MOST_EVENTS_PER_COPY:
        log.warning("more than %s notices about one copy; the rest is ignored", MOST_EVENTS_PER_COPY)
        return Arrival.IGNORED
    row = processing.record(event=_event(notice, subject, now), provider=provider, now=now)
    return Arrival.RECORDED if row is not None else Arrival.REPEATED


def _event(notice: Notice, subject: _Subject, now: datetime) -> AnymailTrackingEvent:
    fate = _fate(notice, subject.reader)
    said, bounce = fate.words, bounces.from_judgement(fate.judgement)
    if fate.kind is Kind.FAILED and not _is_about(fate, subject.reader):
        # The reader forwards mail to a mailbox that refuses it; the address that we know may be fine.
        said, bounce = "refused by another mailbox than the reader's", bounces.REFUSED
    return AnymailTrackingEvent(
        event_type=_WORDS[fate.kind],
        event_id=_event_id(notice, fate, subject),
        timestamp=_occurred_at(notice, subject, now),
        # A letter has no row that metadata could name; its uuid is found in the message id.
        message_id=str(subject.uuid),
        metadata={events.METADATA_KEY: str(subject.uuid)},
        # Never the address that the notice names: it could be anybody's.
        recipient=None,
        mta_response=f"{fate.status} {said}".strip(),
        # What it means was read with all of the notice at hand.
        esp_event=bounce,
    )


def _fate(notice: Notice, reader: Subscriber | None) -> Fate:
    """What became of the mail for the reader; a notice that is no delivery report has no words for it."""
    if not notice.fates:
        return Fate(notice.kind)
    return notice.fate_of(lambda address: reader is not None and _hash(address) == reader.address_hash)


def _is_about(fate: Fate, reader: Subscriber | None) -> bool:
    """Whether the reader's own address bounced, as far as the notice says which one did."""
    named = [_hash(one) for one in fate.recipients]
    return reader is None or not any(named) or reader.address_hash in named


def _hash(address: str) -> str:
    try:
        return addresses.keyed_hash(addresses.normalise(address).key)
    except addresses.InvalidAddress:
        return ""


def _event_id(notice: Notice, fate: Fate, subject: _Subject) -> str:
    """The same notice about the same copy is one event, by whichever door and however often it comes."""
    essence = notice.message_id or f"{notice.date}\n{fate.status} {fate.words}"
    return hashlib.sha256(f"{essence}\n{subject.uuid.hex}\n{fate.kind.name}".encode(errors="replace")).hexdigest()


def _occurred_at(notice: Notice, subject: _Subject, now: datetime) -> datetime:
    """When the notice was written, unless its clock is absurd: no copy bounces before its issue leaves.

    What was written in the future becomes now where it is stored.
    """
    written = _moment(notice.date)
    too_early = written and subject.left_at and written < subject.left_at - events.CLOCK_SKEW
    return now if written is None or too_early else written


def _moment(date: str) -> datetime | None:
    """An aware moment (RFC 5322 3.3); None for anything else, a date without its zone included."""
    try:
        moment = utils.parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None
