"""What a form changed in a row, for the audit log: each field with its value before and after."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser, User
from django.core.exceptions import PermissionDenied
from django.db import models

from staff import audit
from staff.audit_actions import AuditAction

# Who a mail comes from, on the publication and on a newsletter.
SENDER: Final = ("sender_name", "sender_address", "reply_to")
CHANGE_SENDER: Final = "publication.change_publication"
LONGEST: Final = 300  # characters of a value

Values = Mapping[str, Any]


def values(row: models.Model, **besides: Any) -> Values:
    """The fields of a row that a form may change, as JSON; `besides` are what else belongs to it."""
    fields = [field for field in row._meta.get_fields() if isinstance(field, models.Field) and field.editable]  # noqa: SLF001  # Django documents _meta as public
    return {field.name: _value(row, field) for field in fields if not field.primary_key} | besides


def differences(*, before: Values, after: Values) -> dict[str, list[Any]]:
    """Field -> its value before and after, for those that are not the same."""
    return {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}


def record(
    *,
    action: AuditAction,
    row: models.Model,
    before: Values,
    after: Values,
    actor: AbstractBaseUser | None,
    now: datetime,
) -> None:
    """Write what changed into the log: the sender as an act of its own, the rest as `action`; nothing for nothing.

    Call it in the transaction that saved the row. On failure: PermissionDenied, for a sender changed by somebody who
    may not change the publication.
    """
    changed = differences(before=before, after=after)
    sender = {name: changed.pop(name) for name in SENDER if name in changed}
    if sender:
        if isinstance(actor, User) and not actor.has_perm(CHANGE_SENDER):
            raise PermissionDenied
        audit.record(action=AuditAction.SENDER_CHANGED, actor=actor, target=row, now=now, changed=sender)
    if changed:
        audit.record(action=action, actor=actor, target=row, now=now, changed=changed)


def _value(row: models.Model, field: models.Field[Any, Any]) -> Any:
    if isinstance(field, models.ManyToManyField):
        return sorted(str(other) for other in getattr(row, field.name).all()) if row.pk else []
    value = field.value_from_object(row)
    if value is None or isinstance(value, bool | int):
        return value
    return str(value)[:LONGEST]
