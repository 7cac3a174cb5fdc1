"""The link of an invitation: it names the row, and the row decides whether it is still good."""

from datetime import timedelta
from typing import Final

from django.urls import reverse

from mailkit import tokens
from publication import urls
from staff.models import Invitation

PURPOSE: Final = "invitation"
VALID: Final = timedelta(days=7)


def join(invitation: Invitation) -> str:
    """The whole address of the page on which it is accepted."""
    token = tokens.sign(purpose=PURPOSE, payload={"invitation": invitation.pk})
    return urls.absolute(reverse("account_join", args=[token]))


def read(token: str) -> int | None:
    """The number of the invitation; None for a link that is not ours, or is too old."""
    try:
        return int(tokens.read(token, purpose=PURPOSE, max_age=VALID)["invitation"])
    except (tokens.BadToken, KeyError):
        return None
