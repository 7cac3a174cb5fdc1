"""Rows that readers see in an order of the team's: sections, newsletters, legal texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models import Max

from staff import audit, limits
from staff.audit_actions import AuditAction
from staff.models import LimitKind


@dataclass(frozen=True, slots=True)
class Order:
    """Which rows have an order, their `position`; who gives it to them, and what the audit log calls that."""

    model: type[models.Model]
    permission: str
    about_all: tuple[LimitKind, ...] = ()
    action: AuditAction | None = None


def may_arrange(order: Order, *, user: User | None) -> bool:
    """Whether this person may; None is a command. Who is limited to some of the rows orders none."""
    if user is None:
        return True
    return user.has_perm(order.permission) and not limits.is_limited(user, kinds=order.about_all)


@transaction.atomic
def arrange(order: Order, *, numbers: Sequence[int], actor: User | None, now: datetime) -> None:
    """Let the rows follow each other as `numbers` say. A row that is not named, as a new one, comes after them.

    On failure: PermissionDenied.
    """
    if not may_arrange(order, user=actor):
        raise PermissionDenied
    rows = {row.pk: row for row in order.model._default_manager.select_for_update(no_key=True)}  # noqa: SLF001  # Django documents it as public
    named = [number for number in dict.fromkeys(numbers) if number in rows]
    for place, number in enumerate([*named, *(number for number in rows if number not in named)]):
        row, before = rows[number], rows[number].position  # type: ignore[attr-defined]  # as `Order` says
        if before == place:
            continue
        order.model._default_manager.filter(pk=number).update(position=place)  # noqa: SLF001  # as above
        if order.action is not None:
            audit.record(action=order.action, actor=actor, target=row, now=now, changed={"position": [before, place]})


def next_place(model: type[models.Model]) -> int:
    """The place behind all others, for a new row."""
    last: int | None = model._default_manager.aggregate(last=Max("position"))["last"]  # noqa: SLF001  # as above
    return 0 if last is None else last + 1
