"""The sweeper: looks at the rows every minute and finds whatever has work, so no hint is ever needed."""

from __future__ import annotations

import logging
from datetime import datetime

from django.db.models import Q

from digests.models import Issue
from digests.sending import claims, closing, send_journal

log = logging.getLogger(__name__)

State = Issue.State


def sweep(*, now: datetime) -> list[int]:
    """Recover what dead lanes held, expire what is too old, return the ids of the issues that have work."""
    recovered = claims.recover()
    if recovered:
        log.warning("%s copies of lanes that died were recovered", recovered)
    claims.expire()
    if missed := claims.miss():
        log.warning("%s copies could not leave at their readers' hour", missed)
    work = (
        Q(state__in=[State.PREPARING, State.SENDING])
        | Q(state=State.SCHEDULED, scheduled_for__lte=now)
        | Q(state=State.CANCELLED, finished_at__isnull=True)
    )
    return list(Issue.objects.filter(work).order_by("scheduled_for", "pk").values_list("pk", flat=True))


def wake(*, issue_id: int, now: datetime) -> bool:
    """Do what one issue waits for: sweep, reinstate, give up, close; return whether it wants its lanes."""
    closing.sweep_cancelled(issue_id=issue_id)
    if send_journal.is_behind(issue_id=issue_id):
        return False
    closing.reinstate(issue_id=issue_id)
    closing.give_up(issue_id=issue_id, now=now)
    closing.close(issue_id=issue_id, now=now)
    return Issue.objects.under_way().filter(pk=issue_id).exists()
