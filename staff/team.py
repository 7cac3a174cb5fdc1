"""What is done to the accounts of the team. Each act checks the rights of the actor and is on the audit log."""

from datetime import datetime

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from core import locks
from staff import audit, roles, sessions
from staff.audit_actions import AuditAction
from staff.role_names import Role
from staff.roles import NotAllowed


def rename(*, person: User, name: str, now: datetime) -> None:
    """Call somebody by the name that they gave themselves; the same name again changes nothing."""
    with transaction.atomic():
        row = User.objects.select_for_update(no_key=True).get(pk=person.pk)
        before = row.get_full_name()
        if name == before:
            return
        row.first_name, row.last_name = name, ""
        row.save(update_fields=["first_name", "last_name"])
        audit.record(
            action=AuditAction.NAME_CHANGED, actor=row, target=row, now=now, changed={"name": [before, name]},
        )  # fmt: skip


def change_role(*, person: User, role: Role, actor: User | None, now: datetime) -> None:
    """Give this person another role.

    On failure: NotAllowed, for one's own role, for a role that the actor may not give or take, and for the last
    administrator.
    """
    with transaction.atomic():
        before = roles.of(_locked(person))
        _require_other(person, actor, _("Nobody changes their own role. Ask a colleague."))
        for each in (before, role):
            roles.require(actor, role=each)
        if role != Role.ADMINISTRATOR:
            _require_another_administrator(person)
        roles.give(person, role)
        audit.record(
            action=AuditAction.ROLE_CHANGED, actor=actor, target=person, now=now,
            changed={"role": [before or "", role.value]},
        )  # fmt: skip


def close(*, person: User, actor: User | None, now: datetime) -> None:
    """Nobody signs in with the account any more, and its sessions end. What the person wrote stays.

    On failure: NotAllowed, for one's own account, and for the last administrator.
    """
    with transaction.atomic():
        roles.require(actor, role=roles.of(_locked(person)))
        _require_other(person, actor, _("Nobody closes their own account. Ask a colleague."))
        _require_another_administrator(person)
        _open(person, is_open=False)
        sessions.end_all(user=person, actor=actor, now=now)
        audit.record(action=AuditAction.PERSON_DEACTIVATED, actor=actor, target=person, now=now)


def reopen(*, person: User, actor: User | None, now: datetime) -> None:
    """The person may sign in again, in the same role. On failure: NotAllowed."""
    with transaction.atomic():
        roles.require(actor, role=roles.of(_locked(person)))
        _open(person, is_open=True)
        audit.record(action=AuditAction.PERSON_REACTIVATED, actor=actor, target=person, now=now)


def end_sessions(*, person: User, actor: User | None, now: datetime) -> int:
    """Sign the person out everywhere; return from how many places. On failure: NotAllowed."""
    roles.require(actor, role=roles.of(person))
    return sessions.end_all(user=person, actor=actor, now=now)


def reset_second_factor(*, person: User, actor: User | None, now: datetime) -> None:
    """Forget the passkeys, app and recovery codes of somebody who lost them, and sign them out.

    The next sign-in asks for the password alone and leads to a new one. On failure: NotAllowed, for one's own.
    """
    with transaction.atomic():
        roles.require(actor, role=roles.of(_locked(person)))
        _require_other(person, actor, _("You remove your own keys on the page “My account”."))
        Authenticator.objects.filter(user=person).delete()
        sessions.end_all(user=person, actor=actor, now=now)
        audit.record(action=AuditAction.SECOND_FACTOR_REMOVED, actor=actor, target=person, now=now)


def _locked(person: User) -> User:
    """The person as they are now; nobody else changes administrators until this ends."""
    locks.wait_until_commit(roles.ADMINISTRATORS_LOCK)
    return User.objects.select_for_update().get(pk=person.pk)


def _open(person: User, *, is_open: bool) -> None:
    person.is_active = is_open
    person.save(update_fields=["is_active"])


def _require_other(person: User, actor: User | None, refusal: str) -> None:
    if actor is not None and actor.pk == person.pk:
        raise NotAllowed(refusal)


def _require_another_administrator(person: User) -> None:
    others = roles.administrators().exclude(pk=person.pk)
    if person.is_superuser and not others.exists():
        raise NotAllowed(_("This is the last administrator. Make another one first."))
