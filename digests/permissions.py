"""Who may do what to the issues of which newsletter. The verbs check it; lists show nothing else."""

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet

from digests.models import Issue
from staff import limits
from staff.models import LimitKind
from subscribers import permissions

SEND = "digests.send_issue"
CHANGE = "digests.change_issue"


def require(permission: str, *, user: AbstractBaseUser | None, issue: Issue) -> None:
    """Return when the user has the permission, and the issue's newsletter; None is the clock or a command.

    On failure: PermissionDenied.
    """
    permissions.require(permission, user=user)
    if not limits.allows(user, kind=LimitKind.NEWSLETTER, object_id=issue.newsletter_id):
        raise PermissionDenied


def issues_of(rows: QuerySet[Issue], *, user: AbstractBaseUser | None) -> QuerySet[Issue]:
    """The issues of the user's newsletters."""
    return limits.narrowed(rows, user=user, kind=LimitKind.NEWSLETTER, field="newsletter")
