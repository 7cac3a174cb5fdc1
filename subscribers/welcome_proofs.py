"""A proof of a welcome letter: the mail as readers get it, to an editor."""

from __future__ import annotations

import logging
from datetime import datetime

from anymail.exceptions import AnymailError
from django.contrib.auth.models import AbstractBaseUser
from django.utils.translation import gettext as _

from mailkit import addresses
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import permissions
from subscribers.letters import render
from subscribers.models import WelcomeLetter

log = logging.getLogger(__name__)


class NotSent(Exception):
    """The proof did not leave; str() is a sentence that says what to do."""


def send(*, letter: WelcomeLetter, to: str, language: str, actor: AbstractBaseUser | None, now: datetime) -> None:
    """Send the letter as it is now to one address; no reader's row changes. On failure: NotSent."""
    permissions.require(permissions.CHANGE_NEWSLETTER, user=actor, newsletter=letter.newsletter_id)
    try:
        address = addresses.normalise(to).address
        mail = render.sample(welcome=letter, language=language, to=address)
        mail.subject = f"[{_('Proof')}] {mail.subject}"
        mail.send()
    except (addresses.InvalidAddress, render.CannotBeShown) as refusal:
        raise NotSent(str(refusal)) from refusal
    except (OSError, AnymailError) as error:
        log.warning("a proof of welcome letter %s could not be sent (%s)", letter.pk, type(error).__name__)
        raise NotSent(_("The mail server could not be reached, or refused it.")) from error
    audit.record(action=AuditAction.PROOF_SENT, actor=actor, target=letter, now=now, to=addresses.mask(address))
