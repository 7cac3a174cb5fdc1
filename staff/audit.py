"""The audit log: what a member of staff, a command or the clock did, as an append-only chain.

Each verb records its act in its own transaction: either both are kept or neither. A link's hash covers the
row and the hash of the row before (`core.hash_chain`); triggers refuse UPDATE, DELETE and TRUNCATE.
"""

import hmac
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, models, transaction

from core import hash_chain, locks
from mailkit import characters
from staff.audit_actions import AuditAction
from staff.models import AuditEvent

RECORD: Final = "staff.audit"
CHAIN_LOCK: Final = "audit chain"
SEALED: Final = (
    "action", "actor_id", "actor_name", "object_type", "object_id", "object_name", "detail", "occurred_at", "format",
    "key_id", "previous_hash",
)  # fmt: skip
# Format -> the facts that its hash covers. A published format never changes: a new fact is a new format.
FORMATS: Final = {1: SEALED}
FORMAT: Final = 1
BATCH: Final = 2_000


class ChainBroken(Exception):
    """The log does not hold at the event with the number `event_id`; str() says why."""

    def __init__(self, event_id: int, reason: str) -> None:
        super().__init__(reason)
        self.event_id = event_id


def record(
    *,
    action: AuditAction,
    actor: AbstractBaseUser | None,
    target: models.Model | None = None,
    now: datetime,
    **detail: Any,
) -> AuditEvent:
    """Append one act and return it; without an actor it is the clock's or a command's.

    `detail` holds what the sentence needs besides: JSON values only, and no address of a reader. Must run inside
    the transaction of the act, as its last lock: take row locks and the lock of the consent chain before.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("The audit log is extended inside a transaction.")
    locks.wait_until_commit(CHAIN_LOCK)
    event = AuditEvent(
        action=action,
        actor_id=actor.pk if actor else None,
        actor_name=characters.line(actor.get_username())[:150] if actor else "",
        object_type=target._meta.label_lower if target else "",  # noqa: SLF001  # Django documents _meta as public
        object_id=str(target.pk) if target else "",
        object_name=_name(target) if target else "",
        detail={name: _clean(value) for name, value in detail.items()},
        occurred_at=now,
        format=FORMAT,
        key_id=hash_chain.key_id(settings.CONSENT_KEY, record=RECORD),
        previous_hash=head(),
    )
    event.hash = seal(event, key=settings.CONSENT_KEY)
    event.save(force_insert=True)
    return event


def seal(event: AuditEvent, *, key: str) -> str:
    """The 64 hex digits that belong to this row; they cover every fact of its format and the link before."""
    facts = {name: getattr(event, name) for name in FORMATS[event.format]}
    return hash_chain.seal(facts, key=key, record=RECORD)


def head() -> str:
    """The hash of the last link."""
    return AuditEvent.objects.order_by("-pk").values_list("hash", flat=True).first() or hash_chain.GENESIS


def keyring() -> dict[str, str]:
    """The name of each configured key -> the key."""
    keys = (settings.CONSENT_KEY, *settings.CONSENT_KEY_FALLBACKS)
    return {hash_chain.key_id(key, record=RECORD): key for key in keys}


def links() -> Iterator[AuditEvent]:
    """Walk the whole log and yield each event that holds. On failure: ChainBroken, at the first that does not."""
    keys = keyring()
    previous = hash_chain.GENESIS
    for event in AuditEvent.objects.order_by("pk").iterator(chunk_size=BATCH):
        if event.previous_hash != previous:
            raise ChainBroken(event.pk, "the event before it is missing, or was put in later")
        if event.key_id not in keys:
            raise ChainBroken(event.pk, f"no key that is configured has the name {event.key_id}")
        if event.format not in FORMATS:
            raise ChainBroken(event.pk, f"its format {event.format} is not known to this version of the software")
        if not hmac.compare_digest(event.hash, seal(event, key=keys[event.key_id])):
            raise ChainBroken(event.pk, "its content was changed after it was recorded")
        previous = event.hash
        yield event


def _clean(value: Any) -> Any:
    """A text without the characters that PostgreSQL cannot store in JSON."""
    return characters.text(value) if isinstance(value, str) else value


def _name(target: models.Model) -> str:
    """How the log names an object: as it names itself, unless it has an `audit_name` because it is a person."""
    return characters.line(str(getattr(target, "audit_name", target)))[:200]
