"""After the database went back in time: what readers ended since the backup is ended again, before any mail leaves.

Nobody has to ask for it. Who is about to send asks `is_done`, and the first that learns of a forgotten no repeats
all of them, each in its own transaction, so it may end at any instant and begin again. A reader who said yes after the
no keeps it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from core import locks
from subscribers import consent, erasure, noes, preferences, signup, states, suppression, withdrawals
from subscribers.models import ConsentEvent, Newsletter, Subscriber, Subscription
from subscribers.noes import No

log = logging.getLogger(__name__)

Kind = ConsentEvent.Kind
SOURCE: Final = "restored"
BASIS: Final = "said at {at} UTC, and forgotten by a database that was restored"
# One process at a time, over all hosts.
REPLAY_LOCK: Final = "noes"


@dataclass(slots=True)
class Replayed:
    """How many readers were erased again, subscriptions ended again, consents to tracking withdrawn again."""

    erased: int = 0
    ended: int = 0
    tracking: int = 0
    damaged: int = 0


def is_done(*, now: datetime) -> bool:
    """Whether nothing is forgotten any more; False while another process repeats it, when nothing may leave.

    A directory that cannot be read is logged, and holds up nobody.
    """
    try:
        return not noes.is_behind() or run(now=now) is not None
    except OSError as error:
        log.error("The noes of readers cannot be read: %s.", error.strerror)
        return True


def run(*, now: datetime) -> Replayed | None:
    """Repeat what the record has forgotten; None if another process does. On failure: OSError.

    After: nobody is mailable who was not when the newest line was written, but for those who said yes since. Safe to
    repeat.
    """
    with locks.advisory_lock(REPLAY_LOCK) as held:
        if not held:
            return None
        done = Replayed(damaged=noes.damaged())
        if not noes.is_behind():
            return done
        for no in noes.forgotten():
            _repeat(no, done, now)
        noes.settle(now=now)
        noes.write(now=now)
    log.warning(
        "the database was rolled back: %s readers are erased again, %s subscriptions ended again, %s withdrew from "
        "being counted again; %s lines of the journal are damaged",
        done.erased, done.ended, done.tracking, done.damaged,
    )  # fmt: skip
    return done


def _repeat(no: No, done: Replayed, now: datetime) -> None:
    evidence = consent.Evidence(source=SOURCE, basis=BASIS.format(at=no.said_at[:19].replace("T", " ")))
    with transaction.atomic():
        if no.kind == Kind.ERASED:
            done.erased += _erase(no, evidence, now)
        elif no.kind == Kind.WITHDRAWN:
            done.ended += _end(no, evidence, now)
        else:
            done.tracking += _stop_tracking(no, evidence, now)


def _erase(no: No, evidence: consent.Evidence, now: datetime) -> bool:
    if _said_later(no, Kind.CONFIRMED) or (not _readers(no).exists() and suppression.find(no.mailbox)):
        return False
    return erasure.erase_again(reader=no.reader, address_hash=no.mailbox, evidence=evidence, now=now)


def _end(no: No, evidence: consent.Evidence, now: datetime) -> int:
    slug = Q(slug=no.newsletter) | Q(former_slugs__contains=[no.newsletter])
    newsletter = Newsletter.objects.filter(slug).first()
    if newsletter is None:
        return 0
    rows = Subscription.objects.filter(newsletter=newsletter, subscriber__in=_readers(no))
    for row in rows.filter(state__in=states.ENDABLE).exclude(confirmed_at__gt=no.moment):
        signup.unsubscribe(subscription=row, evidence=evidence, reason=SOURCE, now=now, goodbye=False)
        return 1
    # It was said by somebody who was no reader, in a list that was imported; or the reader is no longer one.
    if not rows.exists() and no.mailbox not in withdrawals.in_force(address_hashes=[no.mailbox], newsletter=newsletter):
        reasons = {no.mailbox: evidence.basis}
        withdrawals.record(reasons=reasons, newsletter=newsletter, source=SOURCE, now=now)
    return 0


def _stop_tracking(no: No, evidence: consent.Evidence, now: datetime) -> int:
    if _said_later(no, Kind.TRACKING_GRANTED):
        return 0
    counted = _readers(no).filter(tracking_consent=True)
    return sum(preferences.choose_tracking(subscriber=one, agrees=False, evidence=evidence, now=now) for one in counted)


def _readers(no: No) -> QuerySet[Subscriber]:
    """Who said it: under the address of then, or under another one in the older database."""
    return Subscriber.objects.filter(Q(uuid=no.reader) | Q(address_hash=no.mailbox)).order_by("pk")


def _said_later(no: No, kind: ConsentEvent.Kind) -> bool:
    acts = ConsentEvent.objects.filter(Q(subscriber_uuid=no.reader) | Q(address_hash=no.mailbox), kind=kind)
    return acts.filter(occurred_at__gt=no.moment).exists()
