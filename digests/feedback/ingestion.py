"""Ingest a returned mail: turn it into the same event as a provider's webhook, or into an unsubscribe.

A notification names its copy by the signed return path. If it has no return path, it is matched by the
Message-ID of the mail that it returns, a random uuid that only a recipient of the copy knows. If it has only
forged ones, or reports nothing, it is ignored.
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
from django.conf import settings

from digests import replies
from digests.feedback import events, processing, reply_mail, unsubscribe_mail
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

# More events about one copy are noise, or an attempt to fill our tables.
MOST_EVENTS_PER_COPY: Final = 20
# The headers are searched in this many bytes.
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
    """The outcome of a mail."""

    RECORDED = auto()  # a new event is stored
    REPEATED = auto()  # it was stored before
    LEFT = auto()  # a reader was unsubscribed
    REPLIED = auto()  # a reader's answer is at the desk
    IGNORED = auto()  # it is not about our mail

    @property
    def is_done(self) -> bool:
        """True if nobody needs to look at the mail again; an answer stays in a mailbox that is also read by people."""
        return self is not Arrival.IGNORED and (self is not Arrival.REPLIED or bool(settings.RETURN_DOMAIN))


@dataclass(frozen=True, slots=True)
class _Subject:
    """The copy or letter that a notification is about, and its reader (None once erased)."""

    uuid: uuid.UUID
    reader: Subscriber | None
    left_at: datetime | None


def take(*, raw: bytes, envelope_to: str = "", now: datetime) -> Arrival:
    """Process one returned mail in its own transaction, which has committed on return.

    `envelope_to` is the recipient address, if the protocol tells it. No content of the mail makes it raise. If the
    database is away it raises, and nothing has changed.
    """
    wish = _wish(raw, envelope_to)
    if wish is not None:
        return _leave(wish, now)
    notice = notices.read(raw, is_addressed=_is_addressed(raw, envelope_to))
    if notice is None:
        return _reply(raw, now)
    named = _identify(notice, envelope_to)
    subject = _find(named) if named else None
    if subject is None:
        log.info("a returned notification matches no copy")
        return Arrival.IGNORED
    return _record(notice, subject, now)


def _reply(raw: bytes, now: datetime) -> Arrival:
    """Store an answer to a copy, once; nothing is kept of a mail that answers none."""
    try:
        mail = reply_mail.read(raw[: notices.LOOKED_AT])
    except Exception as error:  # noqa: BLE001  # as above
        log.info("a mail could not be read (%s)", type(error).__name__)
        return Arrival.IGNORED
    copy = replies.copy_of(mail.answered) if mail else None
    if mail is None or copy is None or copy.subscriber is None:
        return Arrival.IGNORED
    if replies.is_known(mail.fingerprint):
        return Arrival.REPLIED
    words = reply_mail.words(raw[: notices.LOOKED_AT]) if replies.has_room(copy) else None
    if words is None or not (words.text.strip() or words.attachments):
        return Arrival.IGNORED
    is_kept = replies.store(
        copy=copy, fingerprint=mail.fingerprint, sender_name=mail.sender_name, sender=mail.sender,
        is_from_reader=_hash(mail.sender) == copy.subscriber.address_hash, subject=mail.subject,
        text=words.text, quoted=words.quoted, is_cut=words.is_cut, attachments=words.attachments,
        received_at=min(now, _moment(mail.sent_at) or now),
    )  # fmt: skip
    return Arrival.REPLIED if is_kept else Arrival.IGNORED


def _wish(raw: bytes, envelope_to: str) -> Wish | None:
    try:
        return unsubscribe_mail.read(raw[: notices.LOOKED_AT], envelope_to=envelope_to)
    except Exception as error:  # noqa: BLE001  # hostile bytes may make the parsers raise anything
        log.info("a mail could not be read (%s)", type(error).__name__)
        return None


def _leave(wish: Wish, now: datetime) -> Arrival:
    """Unsubscribe, as the button does. A repeated mail, or one older than a new confirmation, has no effect."""
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
    """The subscriptions that the request would end."""
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
    """Whether the mail was addressed to one of our return paths: by its envelope, or by headers that repeat it."""
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
    earlier = DeliveryEvent.objects.filter(delivery_uuid=subject.uuid, provider=provider)
    if earlier[:MOST_EVENTS_PER_COPY].count() >= MOST_EVENTS_PER_COPY:
        log.warning("more than %s notifications about one copy; the rest is ignored", MOST_EVENTS_PER_COPY)
        return Arrival.IGNORED
    row = processing.record(event=_event(notice, subject, now), provider=provider, now=now)
    return Arrival.RECORDED if row is not None else Arrival.REPEATED


def _event(notice: Notice, subject: _Subject, now: datetime) -> AnymailTrackingEvent:
    fate = _fate(notice, subject.reader)
    words, bounce = fate.words, bounces.from_judgement(fate.judgement)
    if fate.kind is Kind.FAILED and not _is_about(fate, subject.reader):
        # The reader forwards mail to a mailbox that refuses it. The address that we mail may be fine.
        words, bounce = "refused by another mailbox than the reader's", bounces.REFUSED
    return AnymailTrackingEvent(
        event_type=_WORDS[fate.kind],
        event_id=_event_id(notice, fate, subject),
        timestamp=_occurred_at(notice, subject, now),
        # A letter has no Delivery for the metadata. Its uuid is found in the message id.
        message_id=str(subject.uuid),
        metadata={events.METADATA_KEY: str(subject.uuid)},
        # Not the address in the notification: it could be anyone's.
        recipient=None,
        mta_response=f"{fate.status} {words}".strip(),
        # Already classified, from the whole notification.
        esp_event=bounce,
    )


def _fate(notice: Notice, reader: Subscriber | None) -> Fate:
    """The outcome for this reader; without text, if the notification is not a delivery report."""
    if not notice.fates:
        return Fate(notice.kind)
    return notice.fate_of(lambda address: reader is not None and _hash(address) == reader.address_hash)


def _is_about(fate: Fate, reader: Subscriber | None) -> bool:
    """Whether the reader's own address bounced, as far as the notification names one."""
    named = [_hash(one) for one in fate.recipients]
    return reader is None or not any(named) or reader.address_hash in named


def _hash(address: str) -> str:
    try:
        return addresses.keyed_hash(addresses.normalise(address).key)
    except addresses.InvalidAddress:
        return ""


def _event_id(notice: Notice, fate: Fate, subject: _Subject) -> str:
    """The same notification about the same copy is one event, whichever way and however often it arrives."""
    essence = notice.message_id or f"{notice.date}\n{fate.status} {fate.words}"
    return hashlib.sha256(f"{essence}\n{subject.uuid.hex}\n{fate.kind.name}".encode(errors="replace")).hexdigest()


def _occurred_at(notice: Notice, subject: _Subject, now: datetime) -> datetime:
    """When the notification was written, but not before its issue left: no copy bounces earlier.

    A time in the future is replaced by now when it is stored.
    """
    written = _moment(notice.date)
    too_early = written and subject.left_at and written < subject.left_at - events.CLOCK_SKEW
    return now if written is None or too_early else written


def _moment(date: str) -> datetime | None:
    """An aware datetime (RFC 5322 3.3); None for anything else, also for a date without a zone."""
    try:
        moment = utils.parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None
