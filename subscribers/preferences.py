"""Changes that readers make to their own subscriptions with a link from a mail."""

from collections.abc import Collection
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from mailkit import addresses
from publication.formats import Format
from publication.models import TIME_ZONES, Publication
from subscribers import cadence_options, consent, noes, signup, topics
from subscribers.guards import HOURS_OF_READERS
from subscribers.letters import queue
from subscribers.models import Cadence, ConsentEvent, Letter, Newsletter, PreferenceChange, Subscriber, Subscription

LONGEST_PAUSE = timedelta(days=366)
A_MONTH = timedelta(days=30)
SOONER_THAN_WEEKLY = (Cadence.INSTANT, Cadence.DAILY)


class NotOffered(ValueError):
    """The newsletter does not come at that cadence."""


class NotSubscribed(Exception):
    """The subscription is not confirmed, so there is nothing to change about it."""


class NotSpoken(ValueError):
    """The publication has no pages in this language."""


class NotAFormat(ValueError):
    """There is no such format."""


class BadHour(ValueError):
    """No such zone or hour; str() is one sentence that says what to do."""


class BadPause(ValueError):
    """A pause ends in the future, within a year; str() says so."""


def change_cadence(
    *, subscription: Subscription, cadence: str, evidence: consent.Evidence, now: datetime, days: str = ""
) -> bool:
    """Serve a confirmed subscription at another cadence, or a daily one on these weekdays; False when it already was.

    After: the consent record holds the new cadence, and the subscription points at it. Its next issue makes up for
    what the reader has had, and has not.
    On failure: NotOffered, NotSubscribed.
    """
    offered = cadence_options.cadences_of(subscription.newsletter)
    if cadence not in dict(offered) or (days and not cadence_options.on_some_days(subscription.newsletter, cadence)):
        raise NotOffered(_("Please choose one of the cadences that this newsletter offers."))
    with transaction.atomic():
        subscriber = _lock_confirmed(subscription)
        if (subscription.cadence, subscription.days) == (cadence, days):
            return False
        event = consent.record(
            subscriber=subscriber,
            newsletter=subscription.newsletter,
            event=ConsentEvent.Kind.CONFIRMED,
            cadence=cadence,
            agreed=subscription.consent_event,
            evidence=evidence,
            now=now,
        )
        subscription.cadence, subscription.days, subscription.consent_event = cadence, days, event
        subscription.out_of_step_since = subscription.out_of_step_since or now
        subscription.save(update_fields=["cadence", "days", "consent_event", "out_of_step_since"])
    return True


def pause(*, subscription: Subscription, until: datetime | None, now: datetime) -> None:
    """Hold back mail until a moment, or (None) no longer. On failure: BadPause, NotSubscribed."""
    if until is not None and not now < until <= now + LONGEST_PAUSE:
        raise BadPause(_("Please choose a day between tomorrow and one year from now."))
    with transaction.atomic():
        _lock_confirmed(subscription)
        is_paused = subscription.paused_until is not None and subscription.paused_until > now
        if not is_paused and until is not None:
            signup.keep_absence(subscription=subscription)
            subscription.away_from = now
        if is_paused or until is not None:
            subscription.away_until = until or now
            subscription.out_of_step_since = subscription.out_of_step_since or now
        subscription.paused_until = until
        subscription.save(update_fields=["paused_until", *signup.AWAY])
        queue.put_off(subscription=subscription, until=until or now)


def less_often(*, subscription: Subscription) -> bool:
    """Whether it can come weekly and comes more often now."""
    if subscription.state != Subscription.State.CONFIRMED or Cadence(subscription.cadence) not in SOONER_THAN_WEEKLY:
        return False
    return Cadence.WEEKLY in dict(cadence_options.cadences_of(subscription.newsletter))


def take_weekly(*, subscription: Subscription, evidence: consent.Evidence, now: datetime) -> None:
    """Serve it weekly instead of more often; nothing ever comes more often by this.

    On failure: NotOffered, NotSubscribed.
    """
    with transaction.atomic():
        _lock_confirmed(subscription)
        if not less_often(subscription=subscription):
            raise NotOffered(_("This newsletter cannot come less often than it does."))
        change_cadence(subscription=subscription, cadence=Cadence.WEEKLY, evidence=evidence, now=now)


def pause_for_a_month(*, subscription: Subscription, now: datetime) -> None:
    """Hold back mail for 30 days and the rest of the last one; a longer pause stays. On failure: NotSubscribed."""
    zone = ZoneInfo(subscription.newsletter.time_zone)
    day = (now + A_MONTH).astimezone(zone).date() + timedelta(days=1)
    until = datetime.combine(day, time.min, tzinfo=zone)
    if subscription.paused_until is None or subscription.paused_until < until:
        pause(subscription=subscription, until=until, now=now)


def subscribe(
    *, subscriber: Subscriber, newsletter: Newsletter, cadence: str, evidence: consent.Evidence, now: datetime
) -> None:
    """Add a newsletter for a reader whose mailbox is proven. On failure: NotOffered."""
    offered = {offer.newsletter.pk: dict(offer.cadences) for offer in cadence_options.offered()}
    if cadence not in offered.get(newsletter.pk, {}):
        raise NotOffered(_("Please choose one of the cadences that this newsletter offers."))
    signup.subscribe_proven(subscriber=subscriber, wishes=[(newsletter, cadence)], evidence=evidence, now=now)


def subscribe_again(*, subscription: Subscription, evidence: consent.Evidence, now: datetime) -> None:
    """Take back an unsubscribe: the same newsletter at the same cadence, recorded as a new consent."""
    signup.subscribe_proven(
        subscriber=subscription.subscriber,
        wishes=[(subscription.newsletter, subscription.cadence)],
        evidence=evidence,
        as_before=True,
        now=now,
    )


def choose_content(*, subscription: Subscription, chosen: Collection[str], format: str, now: datetime) -> bool:  # noqa: A002  # as the column
    """Choose the topics and the format of a confirmed subscription; False when they were so already.

    `chosen` are values of topics that exist; none of them: everything comes. The format is one of `Format`, or empty:
    as the publication has it. After: the change is on record. It is no consent, and starts or ends no mail. It holds
    for every issue whose audience is counted from now on. On failure: NotAFormat, NotSubscribed.
    """
    if format not in ("", *Format.values):
        raise NotAFormat(_("Please choose one of the formats of this page."))
    with transaction.atomic():
        _lock_confirmed(subscription)
        choice = topics.choice(values=chosen)
        if (subscription.topics, subscription.format) == (choice, format):
            return False
        subscription.topics, subscription.format = choice, format
        subscription.save(update_fields=["topics", "format"])
        PreferenceChange.objects.create(subscription=subscription, changed_at=now, topics=choice, format=format)
    return True


def choose_language(*, subscriber: Subscriber, language: str) -> None:
    """Write letters and show pages to this reader in one of the publication's languages. On failure: NotSpoken."""
    if language not in Publication.objects.current().languages:
        raise NotSpoken(_("Please choose one of the languages of this page."))
    subscriber.language = language
    subscriber.save(update_fields=["language"])


def choose_hours(
    *,
    subscriber: Subscriber,
    time_zone: str,
    mail_hour: int | None,
    quiet: tuple[int, int] | None,
) -> None:
    """Let mail come at an hour of the reader's, where the reader is; empty and None: as the newsletter does.

    From the next issue on. On failure: BadHour.
    """
    hours = [mail_hour or 0, *(quiet or (0, 1))]
    if time_zone not in {"", *TIME_ZONES} or not all(hour in range(24) for hour in hours) or hours[1] == hours[2]:
        raise BadHour(_("Please choose one of the zones and hours of this page."))
    subscriber.time_zone, subscriber.mail_hour = time_zone, mail_hour
    subscriber.quiet_from, subscriber.quiet_until = quiet or (None, None)
    subscriber.save(update_fields=HOURS_OF_READERS)


def choose_tracking(*, subscriber: Subscriber, agrees: bool, evidence: consent.Evidence, now: datetime) -> bool:
    """Grant or withdraw the consent to be counted as a person; False when that was so already.

    After: the consent record holds the act, with the sentence that `evidence` says was shown.
    """
    kind = ConsentEvent.Kind.TRACKING_GRANTED if agrees else ConsentEvent.Kind.TRACKING_WITHDRAWN
    with transaction.atomic():
        locked = Subscriber.objects.select_for_update(no_key=True).get(pk=subscriber.pk)
        if locked.tracking_consent == agrees:
            return False
        consent.record(subscriber=locked, newsletter=None, event=kind, evidence=evidence, now=now)
        locked.tracking_consent = agrees
        locked.save(update_fields=["tracking_consent"])
        if not agrees:
            noes.write_noes.delay_on_commit()  # type: ignore[attr-defined]  # celery-types does not know Celery's Django task
    return True


def mail_link(*, subscriber: Subscriber, now: datetime) -> Letter:
    """Mail a fresh preferences link to its owner."""
    with transaction.atomic():
        return queue.enqueue(kind=Letter.Kind.PREFERENCES, subscriber=subscriber, now=now)


def request_link(*, address: addresses.Address, now: datetime, dry_run: bool = False) -> None:
    """Mail a preferences link if this address has a subscriber and this is no `dry_run`.

    Otherwise the same is done, to the commit and the worker's call, and nothing of it is kept, so that
    the caller learns nothing, not even from the time that it takes.
    """
    with transaction.atomic():
        with transaction.atomic():
            is_known = Subscriber.objects.filter(address_key=address.key).exists()
            letter = mail_link(subscriber=signup.mailbox(address=address, language="", now=now), now=now)
            transaction.set_rollback(dry_run or not is_known)
        if dry_run or not is_known:
            queue.wake(letter_id=letter.pk)


def _lock_confirmed(subscription: Subscription) -> Subscriber:
    """Lock the reader and look at the subscription again. On failure: NotSubscribed."""
    subscriber = Subscriber.objects.select_for_update(no_key=True).get(pk=subscription.subscriber_id)
    subscription.refresh_from_db()
    if subscription.state != Subscription.State.CONFIRMED:
        raise NotSubscribed(_("This subscription has ended."))
    return subscriber
