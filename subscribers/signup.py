"""Request, confirm, unsubscribe: the only three ways in which a subscription changes its state.

Each verb is one transaction. Everybody locks the subscriber's row first, then the
consent chain, so that simultaneous acts of one person queue up and never deadlock.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Case, CharField, F, QuerySet, Value, When
from django.utils.translation import gettext_lazy as _

from core import database_clock
from mailkit import addresses
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import consent, links, noes, permissions, request_rows, states, suppression
from subscribers.letters import queue
from subscribers.models import ConsentEvent, Letter, Newsletter, Subscriber, Subscription

AWAY = ("away_from", "away_until", "earlier_absences", "out_of_step_since")
# The most times away that are remembered of a reader, beside the last one.
MOST_ABSENCES = 100
Wishes = Sequence[tuple[Newsletter, str]]


class NothingRequested(ValueError):
    """A request must name at least one newsletter."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a confirm link did: `already` means that it had been used before and changed nothing now."""

    subscriber: Subscriber
    subscriptions: list[Subscription]
    already: bool


def request(
    *,
    address: addresses.Address,
    newsletter_cadences: Wishes,
    evidence: consent.Evidence,
    now: datetime,
    dry_run: bool = False,
) -> None:
    """Note that somebody asked for these newsletters at this address, and have a letter ask its owner.

    The same statements run for every address. After: a subscription
    exists for each wish; one that is not confirmed is pending with the cadence
    asked for, and older confirm links are stale. One that is confirmed stays as
    it is, and its letter says so. The letter decides itself, when it is sent,
    whether the address is suppressed.

    `dry_run` does the same work, to the commit and the worker's call, and keeps
    nothing: over a limit the answer takes as long as any other.
    """
    if not newsletter_cadences:
        raise NothingRequested(_("Name at least one newsletter."))
    with transaction.atomic():
        letter_id = _request(address, newsletter_cadences, evidence, now)
        transaction.set_rollback(dry_run)
        if not dry_run:
            queue.wake(letter_id=letter_id)
    if dry_run:
        queue.wake(letter_id=letter_id)


def _request(address: addresses.Address, wishes: Wishes, evidence: consent.Evidence, now: datetime) -> int:
    """The letter's id. The chain's lock comes last: all others wait for it until this is committed."""
    cadences = {newsletter.pk: cadence for newsletter, cadence in wishes}
    written = request_rows.write(address=address, cadences=cadences, language=evidence.locale, now=now)
    acts = [
        consent.Act(
            kind=ConsentEvent.Kind.REQUESTED,
            subscriber_uuid=written.subscriber_uuid,
            address_hash=written.address_hash,
            newsletter_slug=newsletter.slug,
            cadence=cadence,
        )
        for newsletter, cadence in wishes
    ]
    consent.append(acts=acts, evidence=evidence, now=now)
    return written.letter_id


def mailbox(*, address: addresses.Address, language: str, now: datetime) -> Subscriber:
    """The one row of this mailbox, made if there was none, locked until the caller's transaction ends."""
    row = Subscriber(
        address=address.address,
        address_key=address.key,
        address_hash=addresses.keyed_hash(address.key),
        language=language[:12],
        created_at=now,
    )
    Subscriber.objects.bulk_create([row], ignore_conflicts=True)
    return Subscriber.objects.select_for_update(no_key=True).get(address_key=address.key)


def look(*, token: str) -> Confirmation:
    """What a confirm link would do, without doing it. On failure: LinkRefused."""
    return _answered(links.read_confirm(token), lock=False)


def confirm(*, token: str, evidence: consent.Evidence, now: datetime) -> Confirmation:
    """Confirm the requests that the link is for, once.

    After: those subscriptions are confirmed, each with its consent event; a
    welcome letter is queued; an erasure of the same mailbox is lifted, and so are its
    soft bounces, since its owner has just asked for mail. A second use changes nothing
    and says so.
    On failure: LinkRefused, for links that are not ours, too old, or overtaken by
    a new request, an unsubscribe or an erasure.
    """
    claim = links.read_confirm(token)
    with transaction.atomic():
        confirmation = _answered(claim, lock=True)
        if not confirmation.already:
            agreed = consent.agreed(subscriber=confirmation.subscriber)
            _confirm_rows(confirmation.subscriber, confirmation.subscriptions, agreed, evidence, now)
            suppression.lift_own(address_hash=confirmation.subscriber.address_hash)
            queue.enqueue(
                kind=Letter.Kind.WELCOME,
                subscriber=confirmation.subscriber,
                subscriptions=confirmation.subscriptions,
                now=now,
            )
    return confirmation


def subscribe_proven(
    *, subscriber: Subscriber, wishes: Wishes, evidence: consent.Evidence, as_before: bool = False, now: datetime
) -> list[Subscription]:
    """Subscribe somebody who holds a link that we mailed to this address, without a second letter.

    After: the subscriptions are confirmed with their consent events; returns
    those that were not confirmed before. `as_before` repeats the texts that the
    reader had agreed to; otherwise `evidence` holds those that were shown now.
    """
    with transaction.atomic():
        locked = Subscriber.objects.select_for_update(no_key=True).get(pk=subscriber.pk)
        rows = _mark_requested(locked, wishes, now, as_before=as_before)
        fresh = [row for row in rows if row.state == Subscription.State.PENDING]
        _confirm_rows(locked, fresh, consent.agreed(subscriber=locked) if as_before else {}, evidence, now)
        if fresh:
            queue.enqueue(kind=Letter.Kind.WELCOME, subscriber=locked, subscriptions=fresh, now=now)
    return fresh


def unsubscribe(
    *,
    subscription: Subscription,
    evidence: consent.Evidence,
    reason: str,
    actor: AbstractBaseUser | None = None,
    now: datetime,
    goodbye: bool = True,
) -> bool:
    """End one subscription; False when it had ended before. An `actor` does it by hand, for a reader who asked.

    After: state unsubscribed, consent withdrawn in the chain with `reason` as its
    source, confirm links stale, a `goodbye` letter queued for somebody who was
    confirmed. `subscription` shows the new state.
    """
    permissions.require(permissions.UNSUBSCRIBE, user=actor, newsletter=subscription.newsletter_id if actor else None)
    with transaction.atomic():
        subscriber = Subscriber.objects.select_for_update(no_key=True).get(pk=subscription.subscriber_id)
        ended = _end(
            subscriber, subscriber.subscriptions.filter(pk=subscription.pk), evidence, reason, now, goodbye=goodbye
        )
        if ended and actor is not None:
            audit.record(
                action=AuditAction.READER_UNSUBSCRIBED, actor=actor, target=subscriber, now=now,
                newsletter=subscription.newsletter.slug,
            )  # fmt: skip
    subscription.refresh_from_db()
    return bool(ended)


def unsubscribe_all(*, subscriber: Subscriber, evidence: consent.Evidence, reason: str, now: datetime) -> int:
    """End every subscription of one reader with one goodbye letter; return how many ended now."""
    with transaction.atomic():
        locked = Subscriber.objects.select_for_update(no_key=True).get(pk=subscriber.pk)
        return len(_end(locked, locked.subscriptions.all(), evidence, reason, now))


def keep_absence(*, subscription: Subscription) -> None:
    """Remember the last time away, before another one begins. The caller saves AWAY."""
    if subscription.away_from is not None and subscription.away_until is not None:
        last = DateTimeTZRange(subscription.away_from, subscription.away_until, "(]")
        subscription.earlier_absences = [*(subscription.earlier_absences or []), last][-MOST_ABSENCES:]


def _mark_requested(
    subscriber: Subscriber, wishes: Wishes, now: datetime, *, as_before: bool = False
) -> list[Subscription]:
    """Make or renew a pending subscription for each wish and leave confirmed ones alone; return them all.

    `as_before`: a daily digest comes on the same weekdays again.
    """
    rows = [
        Subscription(subscriber=subscriber, newsletter=newsletter, cadence=cadence, request_number=0, requested_at=now)
        for newsletter, cadence in wishes
    ]
    Subscription.objects.bulk_create(rows, ignore_conflicts=True)
    mine = Subscription.objects.filter(subscriber=subscriber, newsletter__in=[newsletter for newsletter, _ in wishes])
    chosen = [When(newsletter=newsletter, then=Value(cadence)) for newsletter, cadence in wishes]
    mine.filter(state__in=states.REQUESTABLE).update(
        state=Subscription.State.PENDING,
        cadence=Case(*chosen, default=F("cadence"), output_field=CharField()),
        request_number=F("request_number") + 1,
        requested_at=now,
        paused_until=None,
        **({} if as_before else {"days": ""}),
    )
    subscriptions = list(mine.select_related("newsletter").order_by("newsletter__position", "newsletter__name"))
    for subscription in subscriptions:
        subscription.subscriber = subscriber
    return subscriptions


def _answered(claim: links.ConfirmClaim, *, lock: bool) -> Confirmation:
    """The rows that the claim is still for. On failure: LinkRefused."""
    subscriber = _claimant(claim.subscriber_uuid, claim.token_version, lock=lock)
    rows = Subscription.objects.filter(subscriber=subscriber, newsletter__in=claim.requests.keys())
    current = [row for row in rows.select_related("newsletter") if _is_current(row, claim.requests)]
    waiting = [row for row in current if row.state == Subscription.State.PENDING]
    if not current:
        raise links.LinkRefused(expired=True)
    for row in current:
        row.subscriber = subscriber
    # Readers whose mail only came back confirm once more: it shows that their mailbox works.
    is_back = not waiting and suppression.only_bounced(address_hash=subscriber.address_hash)
    return Confirmation(subscriber=subscriber, subscriptions=waiting or current, already=not waiting and not is_back)


def _is_current(row: Subscription, requests: Mapping[int, int]) -> bool:
    return row.request_number == requests[row.newsletter_id] and row.state != Subscription.State.UNSUBSCRIBED


def _claimant(subscriber_uuid: uuid.UUID, token_version: int, *, lock: bool) -> Subscriber:
    rows = Subscriber.objects.select_for_update(no_key=True) if lock else Subscriber.objects.all()
    subscriber = rows.filter(uuid=subscriber_uuid, token_version=token_version).first()
    if subscriber is None:
        raise links.LinkRefused(expired=True)
    return subscriber


def _confirm_rows(
    subscriber: Subscriber,
    rows: Sequence[Subscription],
    agreed: Mapping[str, ConsentEvent],
    evidence: consent.Evidence,
    now: datetime,
) -> None:
    """Seal one confirmed act per row and let the row point at it; the subscriber is locked already."""
    confirmed_at = database_clock.not_ahead(moment=now)
    acts = [
        replace(
            _act(subscriber, row.newsletter, ConsentEvent.Kind.CONFIRMED, cadence=row.cadence),
            agreed=agreed.get(row.newsletter.slug),
        )
        for row in rows
    ]
    for row, event in zip(rows, consent.append(acts=acts, evidence=evidence, now=now), strict=True):
        row.state = Subscription.State.CONFIRMED
        row.consent_event = event
        # Reports of bounces and complaints from before it no longer count.
        row.confirmed_at = confirmed_at
        if row.unsubscribed_at is not None:
            # Who comes back was away since then.
            row.away_from, row.away_until = row.away_from or row.unsubscribed_at, confirmed_at
            row.out_of_step_since = row.out_of_step_since or confirmed_at
        row.save(update_fields=["state", "consent_event", "confirmed_at", *AWAY])


def _end(
    subscriber: Subscriber,
    rows: QuerySet[Subscription],
    evidence: consent.Evidence,
    reason: str,
    now: datetime,
    *,
    goodbye: bool = True,
) -> list[Subscription]:
    """End those of the rows that have not ended; the subscriber is locked already."""
    ending = list(rows.filter(state__in=states.ENDABLE).select_related("newsletter"))
    acts = [_act(subscriber, row.newsletter, ConsentEvent.Kind.WITHDRAWN, cadence=row.cadence) for row in ending]
    consent.append(acts=acts, evidence=replace(evidence, source=reason), now=now)
    Subscription.objects.filter(pk__in=[row.pk for row in ending]).update(
        state=Subscription.State.UNSUBSCRIBED,
        consent_event=None,
        request_number=F("request_number") + 1,
        unsubscribed_at=now,
        paused_until=None,
    )
    for row in ending:
        _note_absence(row, now)
    if ending:
        noes.write_noes.delay_on_commit()  # type: ignore[attr-defined]  # celery-types does not know Celery's Django task
    were_confirmed = [row for row in ending if row.state == Subscription.State.CONFIRMED]
    if were_confirmed and goodbye:
        queue.enqueue(kind=Letter.Kind.GOODBYE, subscriber=subscriber, subscriptions=were_confirmed, now=now)
    return ending


def _note_absence(row: Subscription, now: datetime) -> None:
    """Who leaves is away from now on, unless a pause, or an earlier end, began that before."""
    was_away = row.paused_until is not None and row.paused_until > now
    if not was_away and row.state == Subscription.State.CONFIRMED:
        keep_absence(subscription=row)
        row.away_from = now
        row.save(update_fields=AWAY)


def _act(subscriber: Subscriber, newsletter: Newsletter, kind: ConsentEvent.Kind, *, cadence: str) -> consent.Act:
    return consent.Act(
        kind=kind,
        subscriber_uuid=subscriber.uuid,
        address_hash=subscriber.address_hash,
        newsletter_slug=newsletter.slug,
        cadence=cadence,
    )
