"""Letters to people of the team: an invitation, and a link to a new password. Workers send them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from allauth.account.forms import default_token_generator
from allauth.account.internal.userkit import filter_users_by_email
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.translation import gettext, override

from mailkit import message
from publication import urls
from publication.models import Publication
from staff import backends, names, role_names
from staff.models import Invitation, PasswordRequest
from staff.role_names import Role

HOURS: Final = 3_600


def invitation(*, row: Invitation, link: str) -> None:
    """Send it, unless it is over."""
    if row.accepted_at is not None or row.withdrawn_at is not None:
        return
    inviter = names.of(row.invited_by)
    role = Role(row.role)
    _send(
        "invitation",
        to=row.address,
        link=link,
        inviter=inviter,
        role=role.label,
        reason=lambda: gettext("You get this mail because %(name)s invited you.") % {"name": inviter},
        sentence=role_names.SENTENCES[role],
        days=(row.expires_at - row.created_at).days,
    )


def passwords(*, row: PasswordRequest, now: datetime) -> None:
    """Send a link to each open account of the address; without one nobody gets anything. A request is soon too old."""
    if (now - row.created_at).total_seconds() > settings.PASSWORD_RESET_TIMEOUT:
        return
    for user in filter_users_by_email(row.address, is_active=True, prefer_verified=True, for_login=True):
        if backends.may_sign_in(user):
            _send(
                "new_password",
                to=row.address,
                link=_link(user),
                user=user,
                hours=settings.PASSWORD_RESET_TIMEOUT // HOURS,
                reason=lambda: gettext("You get this mail because somebody asked for a new password of your account."),
            )


def _link(user: User) -> str:
    key = default_token_generator.make_token(user)
    return urls.absolute(reverse("account_reset_password_from_key", args=[user_pk_to_url_str(user), key]))


def _send(name: str, *, to: str, reason: Callable[[], str], **facts: Any) -> None:
    publication = Publication.objects.current()
    sender = publication.sender()
    with override(settings.LANGUAGE_CODE):
        frame = {
            "publication": publication,
            "language": settings.LANGUAGE_CODE,
            "site_url": settings.SITE_URL,
            "footer_links": [],
            "reason": reason(),
        }
        message.letter(
            name=name,
            context=frame | facts,
            to=to,
            sender=sender,
            headers={},
            message_id=f"<staff.{uuid4().hex}@{sender.address.rpartition('@')[2] or 'localhost'}>",
        ).send()
