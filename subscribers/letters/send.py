"""Sends letters at least once, and those of a series at most once: claim with a lease, commit, send, settle.

A letter whose sender dies is claimed again when its lease ends, so a crash
between the server's yes and our commit can repeat it; it can never be lost. A letter of a
welcome series is uncertain then, as a copy of an issue: it is listed, and never sent again.
"""

import logging
import smtplib
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F, Q

from core.reasons import Reason
from postal import answers
from subscribers import suppression
from subscribers.letter_reasons import LetterReason
from subscribers.letters import render
from subscribers.models import Letter, Subscription, Suppression

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
MAX_AGE = timedelta(hours=72)
RETRY = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240))
LATE = timedelta(minutes=10)  # how far the letters of a rate may lag behind before all of them are put off
BATCH = 100
SWEEP_SECONDS = 45.0
AT_MOST_ONCE = (Letter.Kind.SERIES,)
TURN = timedelta(hours=1)  # how long a letter waits for the one before it
WAITING, ATTEMPTING = Letter.State.PENDING, Letter.State.ATTEMPTING


def send(*, letter_id: int, now: datetime, connection: BaseEmailBackend | None = None) -> Letter.State | None:
    """Try to send one letter; return its state afterwards, or None when it was not ours to send.

    Never raises for what a mail server says or for a letter that cannot be
    written: both are settled in the row, as rejected or with a later `due_at`.
    """
    letter = _claim(letter_id, now)
    if letter is None:
        return None
    if letter.created_at + MAX_AGE <= now:
        return _settle(letter, Letter.State.EXPIRED, Reason(LetterReason.TOO_OLD), now)
    try:
        mail = render.build(letter=letter, now=now)
    except render.NotNeeded as needless:
        return _settle(letter, needless.state, needless.reason, now)
    except render.NotYet:
        return _settle(letter, WAITING, Reason(), now, due_at=now + TURN)
    except Exception as error:  # noqa: BLE001  # one letter's fault must not stop the others; it is settled and logged
        return _fail(letter, error, now)
    return _hand_over(letter, mail, connection, now)


def _hand_over(
    letter: Letter, mail: EmailMultiAlternatives, given: BaseEmailBackend | None, now: datetime
) -> Letter.State:
    connection, may_have_left = given or get_connection(), False
    try:
        if letter.kind in AT_MOST_ONCE:
            connection.open()
            may_have_left = True
        connection.send_messages([mail])
    except Exception as error:  # noqa: BLE001  # as above
        if may_have_left and not _was_refused(error):
            return _settle(letter, Letter.State.UNCERTAIN, answers.of_error(error).reason, now)
        return _fail(letter, error, now)
    finally:
        if given is None:
            _close(connection)
    return _settle(letter, Letter.State.SENT, Reason(), now)


def _was_refused(error: Exception) -> bool:
    """Whether the server itself said that it did not take the mail."""
    refused = isinstance(error, smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused)
    return refused or getattr(error, "status_code", None) is not None


def sweep(*, clock: Callable[[], datetime]) -> int:
    """Send due letters over one connection for at most 45 s; return how many were tried.

    A connection that saw a fault is not used again: after a 421 or a disconnect
    it would fail every later letter too.
    """
    deadline = time.monotonic() + SWEEP_SECONDS
    _keep_pace(clock())
    _give_up_lost(clock())
    connection, tried = get_connection(), 0
    try:
        while due := _due(clock()):
            for letter_id in due:
                if time.monotonic() >= deadline:
                    return tried
                tried += 1
                connection.open()
                if send(letter_id=letter_id, now=clock(), connection=connection) is WAITING:
                    connection = _fresh(connection)
    finally:
        _close(connection)
    return tried


def due_condition(now: datetime) -> Q:
    """Which letters may be claimed: those whose time has come, and those whose sender died and that may repeat."""
    died = Q(state=ATTEMPTING, lease_until__lte=now) & ~Q(kind__in=AT_MOST_ONCE)
    return Q(state=WAITING, due_at__lte=now) | died


def _give_up_lost(now: datetime) -> None:
    """Nobody knows whether those left whose sender died; they are listed."""
    lost = Letter.objects.filter(kind__in=AT_MOST_ONCE, state=ATTEMPTING, lease_until__lte=now)
    lost.update(
        state=Letter.State.UNCERTAIN,
        settled_at=now,
        lease_until=None,
        **Reason(LetterReason.SENDER_STOPPED).columns(),
    )


def _due(now: datetime) -> list[int]:
    """Due letters; those that readers wait for come before those that many get at once, and before a series."""
    bulk = (*Letter.BULK, Letter.Kind.REDUCED, *AT_MOST_ONCE)
    rows = Letter.objects.filter(due_condition(now)).alias(is_bulk=Q(kind__in=bulk))
    return list(rows.order_by("is_bulk", "due_at", "pk").values_list("pk", flat=True)[:BATCH])


def _keep_pace(now: datetime) -> None:
    """Delay all late letters of a kind by the same time, so that they leave evenly and never in one burst."""
    for kind in Letter.BULK:
        waiting = Letter.objects.filter(kind=kind, state=WAITING, attempts=0)
        first = waiting.order_by("due_at").values_list("due_at", flat=True).first()
        if first is not None and now - first > LATE:
            waiting.update(due_at=F("due_at") + (now - first), created_at=F("created_at") + (now - first))


def _claim(letter_id: int, now: datetime) -> Letter | None:
    """Take the letter for LEASE; None if another sender has it or it is settled."""
    claimed = Letter.objects.filter(due_condition(now), pk=letter_id).update(
        state=ATTEMPTING, attempts=F("attempts") + 1, lease_until=now + LEASE
    )
    rows = Letter.objects.select_related("subscriber", "welcome")
    return rows.filter(pk=letter_id).first() if claimed else None


def _settle(letter: Letter, state: Letter.State, reason: Reason, now: datetime, **changes: Any) -> Letter.State:
    """Write the outcome, unless somebody else claimed the letter meanwhile: `attempts` is the fence."""
    settled_at = None if state == WAITING else now
    Letter.objects.filter(pk=letter.pk, state=ATTEMPTING, attempts=letter.attempts).update(
        state=state, settled_at=settled_at, lease_until=None, **reason.columns(), **changes
    )
    return state


def _fail(letter: Letter, error: Exception, now: datetime) -> Letter.State:
    """Settle a letter that was not sent. Only a refusal of this reader is final; one of the sender is retried."""
    meaning = answers.of_error(error)
    if meaning.state == "rejected" and not meaning.about_us:
        logger.warning("Letter %s was rejected: %s", letter.pk, meaning.reason.code)
        with transaction.atomic():
            is_theirs = letter.kind != Letter.Kind.NEW_ADDRESS
            if meaning.is_gone and is_theirs and is_proven(subscriber_id=letter.subscriber_id):
                suppression.suppress_hash(
                    address_hash=letter.subscriber.address_hash,
                    reason=Suppression.Reason.HARD_BOUNCE,
                    note="refused a letter",
                    now=now,
                )
            return _settle(letter, Letter.State.REJECTED, meaning.reason, now)
    pause = RETRY[min(letter.attempts, len(RETRY)) - 1]
    logger.warning(
        "Letter %s waits for %s after attempt %s: %s", letter.pk, pause, letter.attempts, meaning.reason.code
    )
    return _settle(letter, WAITING, meaning.reason, now, due_at=now + pause)


def came_back(*, letter: Letter, now: datetime) -> bool:
    """Note that a letter that had left was reported as bounced for good; whether that was news."""
    return bool(
        Letter.objects.filter(pk=letter.pk, state__in=[Letter.State.SENT, Letter.State.UNCERTAIN]).update(
            state=Letter.State.REJECTED, settled_at=now, **Reason(LetterReason.REPORTED_BOUNCED).columns()
        )
    )


def is_proven(*, subscriber_id: int) -> bool:
    """Whether this reader ever confirmed anything at this address.

    One that was only typed into the form is written to once and then left alone. Suppressed, it would be
    locked out for good, since a mailbox that is suppressed gets no confirm link when its owner comes.
    """
    return Subscription.objects.filter(subscriber_id=subscriber_id, confirmed_at__isnull=False).exists()


def _fresh(connection: BaseEmailBackend) -> BaseEmailBackend:
    _close(connection)
    return get_connection()


def _close(connection: BaseEmailBackend) -> None:
    """Closing says QUIT, which a server that is gone cannot hear; nothing depends on it."""
    try:
        connection.close()
    except (OSError, smtplib.SMTPException) as error:
        logger.info("The mail connection was closed by the other side (%s).", type(error).__name__)
