"""How people join: a letter with a link that is good once, for one address and one role."""

from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth import password_validation
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from core import locks
from staff import audit, backends, links, roles, tasks
from staff.audit_actions import AuditAction
from staff.models import Invitation, Person
from staff.role_names import Role
from staff.roles import NotAllowed

FIRST_VALID: Final = timedelta(hours=1)


class NoLongerValid(Exception):
    """The link was used, withdrawn or is too old; str() says what to do."""


def invite(*, address: str, role: Role, actor: User, now: datetime) -> Invitation:
    """Ask somebody in by a letter. An earlier invitation of the address is withdrawn.

    On failure: NotAllowed, without the right, and when somebody has an account with this address.
    """
    with transaction.atomic():
        roles.require(actor, role=role)
        address = address.lower()
        if User.objects.filter(Q(email__iexact=address) | Q(username__iexact=address)).exists():
            raise NotAllowed(_("Somebody on the team has this address already."))
        invitation = _new(address, role, actor, now, links.VALID)
        audit.record(action=AuditAction.PERSON_INVITED, actor=actor, target=invitation, now=now, role=role.value)
    tasks.mail_invitation.delay_on_commit(invitation.pk)  # type: ignore[attr-defined]  # celery-types does not know Celery's Django task
    return invitation


def invite_first(*, address: str, now: datetime) -> Invitation:
    """Ask the first administrator in, for an hour. On failure: NotAllowed when there is an administrator."""
    with transaction.atomic():
        locks.wait_until_commit(roles.ADMINISTRATORS_LOCK)
        if roles.administrators().exists():
            raise NotAllowed(_("This site has an administrator, who invites everybody else."))
        invitation = _new(address.lower(), Role.ADMINISTRATOR, None, now, FIRST_VALID)
        audit.record(
            action=AuditAction.PERSON_INVITED, actor=None, target=invitation, now=now, role=Role.ADMINISTRATOR.value
        )
    return invitation


def withdraw(*, invitation: Invitation, actor: User, now: datetime) -> None:
    """Make the link useless. On failure: NotAllowed, without the right, and for one that is over."""
    with transaction.atomic():
        roles.require(actor, role=Role(invitation.role))
        if not _waiting(now).filter(pk=invitation.pk).update(withdrawn_at=now):
            raise NotAllowed(_("This invitation is over already."))
        audit.record(action=AuditAction.INVITATION_WITHDRAWN, actor=actor, target=invitation, now=now)


def read(token: str, *, now: datetime) -> Invitation:
    """The invitation of a link, while it can be accepted. On failure: NoLongerValid."""
    invitation = _waiting(now).filter(pk=links.read(token) or 0).first()
    if invitation is None or not _is_meant(invitation):
        raise NoLongerValid(_("This link was used already, withdrawn, or is too old. Ask for another one."))
    return invitation


def accept(*, token: str, name: str, password: str, now: datetime) -> User:
    """Make the account of an invitation. On failure: NoLongerValid, or ValidationError for a weak password."""
    with transaction.atomic():
        locks.wait_until_commit(roles.ADMINISTRATORS_LOCK)
        invitation = read(token, now=now)
        person = Person(username=invitation.address[:150], email=invitation.address, first_name=name, is_staff=True)
        password_validation.validate_password(password, person)
        if not _waiting(now).filter(pk=invitation.pk).update(accepted_at=now):
            raise NoLongerValid(_("This link was used already."))
        person.set_password(password)
        person.save()
        roles.give(person, Role(invitation.role))
        audit.record(action=AuditAction.PERSON_JOINED, actor=person, target=person, now=now, role=invitation.role)
    return User.objects.get(pk=person.pk)


def _new(address: str, role: Role, actor: User | None, now: datetime, valid: timedelta) -> Invitation:
    _waiting(now).filter(address=address).update(withdrawn_at=now)
    return Invitation.objects.create(
        address=address, role=role, invited_by=actor, created_at=now, expires_at=now + valid
    )


def _is_meant(invitation: Invitation) -> bool:
    """Whether who invited could do so today; the first administrator's link is good while there is none."""
    inviter = invitation.invited_by
    if inviter is None:
        return not roles.administrators().exists()
    return backends.may_sign_in(inviter) and Role(invitation.role) in roles.choosable(inviter)


def _waiting(now: datetime) -> QuerySet[Invitation]:
    return Invitation.objects.filter(accepted_at=None, withdrawn_at=None, expires_at__gt=now)
