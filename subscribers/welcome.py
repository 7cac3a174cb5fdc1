"""The welcome series: letters that a newsletter's editors wrote, at days after a reader's confirmation.

A letter is a row before it is a mail, as all letters are, and its reader gets it at most once (`letters.send`): a
unique key holds over leaving and coming back. The text is that of the moment at which it leaves.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from core import database_clock, locks
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import permissions, schedules
from subscribers.models import ConsentEvent, Letter, Newsletter, Subscriber, Subscription, WelcomeLetter

LOCK: Final = "plan welcome letters"
BATCH: Final = 2_000
# How often it is planned, in minutes of the clock, and how long before the hour a row may be there.
EVERY: Final = 10
AHEAD: Final = timedelta(minutes=2 * EVERY)
# After a longer stop a letter is not written any more: it would come together with the next one.
LATEST: Final = timedelta(days=2)
DAY: Final = timedelta(days=1)
State = Letter.State


@dataclass(frozen=True, slots=True)
class Progress:
    """What became of one letter of the series, for an editor."""

    letter: WelcomeLetter
    sent: int
    waiting: int
    uncertain: int
    failed: int


def save(*, letter: WelcomeLetter, actor: AbstractBaseUser | None, now: datetime) -> WelcomeLetter:
    """Store a letter as it was written; those that have left stay as they were.

    Turned on, it goes to readers who confirm from now on.
    """
    permissions.require(permissions.CHANGE_NEWSLETTER, user=actor, newsletter=letter.newsletter_id)
    with transaction.atomic():
        before = WelcomeLetter.objects.select_for_update().filter(pk=letter.pk).first() if letter.pk else None
        if letter.is_on and not (before and before.is_on):
            letter.on_since = database_clock.not_ahead(moment=now)
        letter.save()
        audit.record(
            action=AuditAction.WELCOME_LETTER_SAVED, actor=actor, target=letter, now=now,
            day=letter.day, hour=letter.hour, on=letter.is_on,
        )  # fmt: skip
    return letter


def plan_due(*, now: datetime) -> int:
    """Make the rows of the letters that fall due soon; return how many. One process at a time, and safe to repeat."""
    with locks.advisory_lock(LOCK) as alone:
        if not alone:
            return 0
        on = WelcomeLetter.objects.filter(is_on=True).select_related("newsletter")
        return sum(_plan(letter, now) for letter in on)


def due_at(*, letter: WelcomeLetter, confirmed_at: datetime, time_zone: str) -> datetime:
    """When the letter is due: at its hour where the reader is, that many days after the day of the confirmation."""
    zone = schedules.zone_named(time_zone) or ZoneInfo(letter.newsletter.time_zone)
    day = confirmed_at.astimezone(zone).date() + timedelta(days=letter.day)
    return schedules.instant(day=day, hour=time(letter.hour), zone=zone)


def progress(*, newsletter: Newsletter) -> list[Progress]:
    """The series of a newsletter in its order, with what became of each letter."""
    letters = WelcomeLetter.objects.filter(newsletter=newsletter).order_by("day")
    counts = Counter[tuple[int, str]]()
    rows = Letter.objects.filter(welcome__in=letters).order_by().values_list("welcome", "state")
    for welcome, state, number in rows.annotate(number=Count("pk")):
        counts[welcome, state] += number
    return [
        Progress(
            letter=letter,
            sent=counts[letter.pk, State.SENT],
            waiting=counts[letter.pk, State.PENDING] + counts[letter.pk, State.ATTEMPTING],
            uncertain=counts[letter.pk, State.UNCERTAIN],
            failed=counts[letter.pk, State.REJECTED],
        )
        for letter in letters
    ]


def _plan(letter: WelcomeLetter, now: datetime) -> int:
    count = 0
    while readers := _make(letter, now):
        count += readers
    return count


@transaction.atomic
def _make(letter: WelcomeLetter, now: datetime) -> int:
    """The rows for some of the readers; 0 when nobody is left."""
    due = _confirmed(letter, now).values("subscriber")
    readers = Subscriber.objects.select_for_update(no_key=True, skip_locked=True).filter(pk__in=due)
    held = [reader.pk for reader in readers.order_by("pk")[:BATCH]]
    # Asked again under the lock: who has left meanwhile gets none.
    rows = list(_confirmed(letter, now).filter(subscriber__in=held).select_related("subscriber").order_by("pk"))
    letters = [
        Letter(
            kind=Letter.Kind.SERIES,
            subscriber_id=row.subscriber_id,
            welcome=letter,
            due_at=due_at(letter=letter, confirmed_at=row.confirmed_at or now, time_zone=row.subscriber.time_zone),
            created_at=now,
        )
        for row in rows
    ]
    planned = Letter.objects.bulk_create(letters)
    through = Letter.subscriptions.through
    through.objects.bulk_create(
        [through(letter_id=one.pk, subscription_id=row.pk) for one, row in zip(planned, rows, strict=True)]
    )
    return len(planned)


def _confirmed(letter: WelcomeLetter, now: datetime) -> QuerySet[Subscription]:
    """Readers who confirmed while the letter was on, to whom it is due about now, and who have no row of it.

    One that expired, as after leaving, does not count for who confirmed again since. An import is no confirmation.
    """
    rows = Letter.objects.filter(welcome=letter, subscriber=OuterRef("subscriber"))
    theirs = ~Q(state=State.EXPIRED) | Q(created_at__gte=OuterRef("confirmed_at"))
    return (
        Subscription.objects.all()
        .mailable(now=now)
        .filter(
            ~Exists(rows.filter(theirs)),
            newsletter=letter.newsletter,
            consent_event__kind=ConsentEvent.Kind.CONFIRMED,
            confirmed_at__gte=max(letter.on_since or now, now - (letter.day + 1) * DAY - LATEST),
            # A day begins everywhere at most a day before it is that many days since.
            confirmed_at__lte=now - (letter.day - 1) * DAY + AHEAD,
        )
    )
