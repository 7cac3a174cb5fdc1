"""Who has which role, and who may give it."""

from typing import Final

from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from staff import limits
from staff.role_names import Role

MANAGE: Final = "staff.manage_team"
# Taken before administrators are counted: two who demote each other at once must not both succeed.
ADMINISTRATORS_LOCK: Final = "administrators"


class NotAllowed(Exception):
    """This person may not do that to the team; str() is the reason."""


def of(user: User) -> Role | None:
    """The highest role of this person; None for an account without any. A list fetches the groups before."""
    if user.is_superuser:
        return Role.ADMINISTRATOR
    names = {group.name for group in user.groups.all()}
    return next((role for role in reversed(Role) if role.value in names), None)


def administrators() -> QuerySet[User]:
    """Everybody who may do everything, with an open account."""
    return User.objects.filter(is_superuser=True, is_active=True, is_staff=True)


def give(user: User, role: Role) -> None:
    """Make it the only role of this person."""
    user.is_superuser = role == Role.ADMINISTRATOR
    user.save(update_fields=["is_superuser"])
    user.groups.set(Group.objects.filter(name=role.value))


def may_manage(actor: User) -> bool:
    """Whether this person may change the team: with the right, and without a limit that others could be freed of."""
    return actor.has_perm(MANAGE) and not limits.is_limited(actor)


def choosable(actor: User) -> list[Role]:
    """The roles that this person may give to others."""
    if not may_manage(actor):
        return []
    return [role for role in Role if role != Role.ADMINISTRATOR or actor.is_superuser]


def require(actor: User | None, *, role: Role | None) -> None:
    """Return when `actor` may give, or take away, this role; None is a command. On failure: NotAllowed."""
    if actor is None:
        return
    if not may_manage(actor):
        raise NotAllowed(_("Only publishers and administrators who are limited to nothing change the team."))
    if role == Role.ADMINISTRATOR and not actor.is_superuser:
        raise NotAllowed(_("Only an administrator can do this with the account of an administrator."))
