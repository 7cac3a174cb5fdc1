"""Who may do what to readers and newsletters. The verbs check it; lists show nothing else."""

from typing import TypeVar

from django.contrib.auth.models import AbstractBaseUser, PermissionsMixin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet

from staff import limits
from staff.audit_actions import AuditAction
from staff.models import LimitKind
from staff.ordering import Order
from subscribers.models import LegalDocument, Newsletter

ERASE = "subscribers.delete_subscriber"
UNSUBSCRIBE = "subscribers.change_subscription"
MOVE = "subscribers.change_subscription"
BLOCK = "subscribers.add_suppression"
LIFT = "subscribers.delete_suppression"
PROVE = "subscribers.view_consentevent"
PUBLISH_TEXT = "subscribers.publish_legalversion"
ADD_NEWSLETTER = "subscribers.add_newsletter"
CHANGE_NEWSLETTER = "subscribers.change_newsletter"
Row = TypeVar("Row", bound=Model)
NEWSLETTERS = Order(Newsletter, CHANGE_NEWSLETTER, (LimitKind.NEWSLETTER,), AuditAction.NEWSLETTER_CHANGED)
LEGAL_TEXTS = Order(LegalDocument, "subscribers.change_legaldocument")


def require(permission: str, *, user: AbstractBaseUser | None, newsletter: int | None = None) -> None:
    """Return when the user has the permission, and the newsletter; None is the clock, a command or the reader.

    On failure: PermissionDenied.
    """
    if user is not None and not (isinstance(user, PermissionsMixin) and user.has_perm(permission)):
        raise PermissionDenied
    if newsletter is not None and not limits.allows(user, kind=LimitKind.NEWSLETTER, object_id=newsletter):
        raise PermissionDenied


def require_all(permission: str, *, user: AbstractBaseUser | None) -> None:
    """Return when the user has the permission and every newsletter, for what a reader is to all of them.

    On failure: PermissionDenied.
    """
    require(permission, user=user)
    if limits.of(user, kind=LimitKind.NEWSLETTER) is not None:
        raise PermissionDenied


def has_all(permission: str, *, user: AbstractBaseUser) -> bool:
    """Whether `require_all` lets the user through."""
    try:
        require_all(permission, user=user)
    except PermissionDenied:
        return False
    return True


def of_newsletters(rows: QuerySet[Row], *, user: AbstractBaseUser | None, field: str) -> QuerySet[Row]:
    """The rows whose `field` is a newsletter of the user."""
    return limits.narrowed(rows, user=user, kind=LimitKind.NEWSLETTER, field=field)


limits.register(kind=LimitKind.NEWSLETTER, names=lambda: dict(Newsletter.objects.values_list("pk", "name")))
