"""To which sections and newsletters a person is limited. Nobody is until an administrator says so.

A limit is a row per person and object, without a foreign key: when the last section of a person is deleted, the
person is left with none, and not with all. What a section or a newsletter is, the apps above know; they ask here
inside their verbs (`allows`) and for their lists (`narrowed`), and register the names that a form offers.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Final, TypeVar

from django.contrib.auth.models import AbstractBaseUser, User
from django.db import models, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from staff import audit
from staff.audit_actions import AuditAction
from staff.models import Limit, LimitKind

CHANGE: Final = "auth.change_user"
Row = TypeVar("Row", bound=models.Model)
# Kind -> the numbers and names that there are to choose from. The app that has them fills it in (`register`).
_names: Final[dict[LimitKind, Callable[[], Mapping[int, str]]]] = {}

# Person -> kind -> numbers, while a page is made that only shows something.
_read: Final[ContextVar[dict[int, Mapping[str, frozenset[int]]] | None]] = ContextVar("limits", default=None)


class NotAllowed(Exception):
    """The rights of this person are not for the actor to change; str() is a sentence."""


def register(*, kind: LimitKind, names: Callable[[], Mapping[int, str]]) -> None:
    """Let people be limited to objects of this kind."""
    _names[kind] = names


def names(*, kind: LimitKind) -> dict[int, str]:
    """Number -> name of everything that somebody can be limited to."""
    return dict(_names[kind]()) if kind in _names else {}


@contextmanager
def read_once() -> Iterator[None]:
    """Until the block ends, what a person is limited to is read once; for pages that only show something."""
    token = _read.set({})
    try:
        yield
    finally:
        _read.reset(token)


def of(user: AbstractBaseUser | None, *, kind: LimitKind) -> frozenset[int] | None:
    """The numbers that the person is limited to; None: all of them, as the clock and administrators have."""
    return _of(user).get(kind)


def is_limited(user: AbstractBaseUser | None, *, kinds: Collection[LimitKind] = tuple(LimitKind)) -> bool:
    """Whether the person is limited to some objects of any of these kinds."""
    return bool(kinds) and any(kind in _of(user) for kind in kinds)


def allows(user: AbstractBaseUser | None, *, kind: LimitKind, object_id: int) -> bool:
    """Whether the person may act on this section or newsletter."""
    numbers = of(user, kind=kind)
    return numbers is None or object_id in numbers


def narrowed(rows: QuerySet[Row], *, user: AbstractBaseUser | None, kind: LimitKind, field: str) -> QuerySet[Row]:
    """The rows whose `field` is a section or newsletter of this person."""
    numbers = of(user, kind=kind)
    return rows if numbers is None else rows.filter(**{f"{field}__in": numbers})


def change(*, user: User, kind: LimitKind, chosen: Collection[int], actor: User | None, now: datetime) -> None:
    """Limit the person to what was chosen; nothing chosen lifts the limit. Recorded if it is a change.

    On failure: NotAllowed, for an actor who may not change accounts, who is limited too, or whose own rights these are.
    """
    if actor is not None and (not actor.has_perm(CHANGE) or actor.pk == user.pk or of(actor, kind=kind) is not None):
        raise NotAllowed(_("Ask an administrator to change these rights."))
    wanted = set(chosen) & names(kind=kind).keys()
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        before = set(Limit.objects.filter(user=user, kind=kind).values_list("object_id", flat=True))
        if before == wanted:
            return
        Limit.objects.filter(user=user, kind=kind).exclude(object_id__in=wanted).delete()
        Limit.objects.bulk_create(Limit(user=user, kind=kind, object_id=number) for number in sorted(wanted - before))
        changed = {kind.label.lower(): [_listed(kind, before), _listed(kind, wanted)]}
        audit.record(action=AuditAction.RIGHTS_CHANGED, actor=actor, target=user, now=now, changed=changed)


def _of(user: AbstractBaseUser | None) -> Mapping[str, frozenset[int]]:
    """Kind -> numbers, for those that the person is limited to."""
    if user is None or getattr(user, "is_superuser", False):
        return {}
    read = _read.get()
    if read is not None and user.pk in read:
        return read[user.pk]
    numbers: dict[str, set[int]] = {}
    for kind, number in Limit.objects.filter(user_id=user.pk).values_list("kind", "object_id"):
        numbers.setdefault(kind, set()).add(number)
    limited = {kind: frozenset(some) for kind, some in numbers.items()}
    if read is not None:
        read[user.pk] = limited
    return limited


def _listed(kind: LimitKind, numbers: Iterable[int]) -> list[str]:
    known = names(kind=kind)
    return [known.get(number, str(number)) for number in sorted(numbers)]
