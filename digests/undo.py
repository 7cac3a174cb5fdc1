"""Undo: an issue that a person approved waits a while before its first copy, and can be taken back until then.

The wait is nothing but a later hour on the issue's row. The engine begins no issue before its hour, by the clock of
the database, so a crash, a second host or a wrong clock cannot shorten the wait. Taking back and beginning are each
one conditional UPDATE of the same row: one of them wins.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser

from core import database_clock
from digests.models import Issue


def leaves_at(*, wanted: datetime, actor: AbstractBaseUser | None) -> datetime:
    """When an issue that is approved now may leave: at the wanted hour, for a person not before the wait is over.

    What a command or the clock approves does not wait: nobody looks on.
    """
    wait = timedelta(seconds=settings.UNDO_SECONDS)
    return max(wanted, database_clock.now() + wait) if actor is not None and wait else wanted


def wish_after(*, issue: Issue) -> datetime | None:
    """The hour that an issue keeps when it is taken back: one that is imminent or over only said "at once"."""
    soon = database_clock.now() + timedelta(seconds=settings.UNDO_SECONDS)
    return issue.scheduled_for if issue.scheduled_for and issue.scheduled_for > soon else None


def seconds_left(*, issue: Issue, now: datetime) -> int:
    """Seconds until an approved issue leaves; 0 once its hour has come."""
    if issue.state != Issue.State.SCHEDULED or issue.scheduled_for is None:
        return 0
    return max(0, round((issue.scheduled_for - now).total_seconds()))
