"""The audit log as CSV. An export is an act of its own, and in the log before its first line."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet

from core import csv_export
from staff import audit, audit_sentences, limits
from staff.audit_actions import AuditAction
from staff.models import AuditEvent

VIEW = "staff.view_auditevent"
COLUMNS = ("number", "time", "action", "sentence", "person", "object", "object number", "name", "details", "hash")
AT_ONCE = 2_000


def may_see(user: User) -> bool:
    """Whether this person sees the log. It is about all newsletters, sections and people: a limit keeps out of it."""
    return user.has_perm(VIEW) and not limits.is_limited(user)


def export(
    *, events: QuerySet[AuditEvent], filters: Mapping[str, list[str]], actor: User | None, now: datetime
) -> Iterator[str]:
    """The lines of the file, read as they are asked for. `filters` say in the log which entries those are.

    On failure: PermissionDenied, for somebody who may not see the log.
    """
    if actor is not None and not may_see(actor):
        raise PermissionDenied
    with transaction.atomic():
        audit.record(action=AuditAction.AUDIT_LOG_EXPORTED, actor=actor, now=now, filters=filters)
    return csv_export.written(_lines(events))


def _lines(events: QuerySet[AuditEvent]) -> Iterator[Sequence[Any]]:
    yield COLUMNS
    for event in events.iterator(chunk_size=AT_ONCE):
        yield tuple(_cells(event))


def _cells(event: AuditEvent) -> Iterable[Any]:
    yield event.pk
    yield event.occurred_at.isoformat()
    yield event.action
    yield audit_sentences.sentence(event)
    yield event.actor_name
    yield event.object_type
    yield event.object_id
    yield event.object_name
    yield json.dumps(event.detail, ensure_ascii=False, sort_keys=True)
    yield event.hash
