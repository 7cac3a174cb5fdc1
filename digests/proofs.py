"""A look at an issue in a real mailbox, before or after it was frozen."""

from __future__ import annotations

import logging
from datetime import datetime

from anymail.exceptions import AnymailError
from django.contrib.auth.models import AbstractBaseUser
from django.utils.translation import gettext_lazy as _

from digests import archive, freezing, rendering
from digests.models import Issue, Snapshot
from mailkit import addresses, message

log = logging.getLogger(__name__)

PREFIX = "[Proof] "
# What makes a mail a list mail, or is decided for each copy: a proof ends nobody's subscription.
LEFT_OUT = ("list-unsubscribe", "list-unsubscribe-post", "feedback-id", "precedence")
OWN = ("from", "to", "reply-to", "subject", "date", "message-id")
AWAY = _("The mail server could not be reached, or refused it. See that EMAIL_URL names one that runs, then try again.")


class NotSent(Exception):
    """The proof did not leave; the message is a sentence that says what to do."""


def send_proof(*, issue: Issue, to: str, actor: AbstractBaseUser | None, now: datetime) -> None:
    """Send the issue as it stands to one address, marked as a proof, with links that do nothing to anybody.

    A frozen issue is taken from its snapshot. No delivery, no consent and no event is recorded.
    On failure: NotSent.
    """
    try:
        address = addresses.normalise(to).address
        mail = _proof(issue, to=address, now=now)
    except (addresses.InvalidAddress, rendering.RenderingError) as refusal:
        raise NotSent(str(refusal)) from refusal
    try:
        mail.send()
    except (OSError, AnymailError) as error:
        log.warning("a proof of issue %s could not be sent (%s)", issue.pk, type(error).__name__)
        raise NotSent(AWAY) from error
    log.info("proof of issue %s sent for user %s", issue.pk, actor.pk if actor else None)


def as_it_stands(*, issue: Issue, now: datetime) -> Snapshot:
    """The issue's snapshot; before it is frozen, one of the moment that is not kept.

    On failure: RenderingError.
    """
    return Snapshot.objects.filter(issue=issue).first() or freezing.preview(issue=issue, now=now)


def _proof(issue: Issue, *, to: str, now: datetime) -> message.Letter:
    snapshot = as_it_stands(issue=issue, now=now)
    fields = {name.lower(): (name, value) for name, value in snapshot.headers}
    mail = message.Letter(
        subject=PREFIX + snapshot.subject,
        body=archive.neutral_text(text=snapshot.text, issue=issue),
        from_email=fields["from"][1],
        to=[to],
        reply_to=[fields["reply-to"][1]] if "reply-to" in fields else None,
        headers=dict(pair for key, pair in fields.items() if key not in (*LEFT_OUT, *OWN)),
    )
    mail.attach_alternative(archive.neutral_html(html=snapshot.html, issue=issue), "text/html")
    mail.encoding = message.UTF8
    return mail
