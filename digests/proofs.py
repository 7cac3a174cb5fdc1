"""Proofs: test copies of an issue for an editor, before or after it was frozen."""

from __future__ import annotations

import logging
from datetime import datetime

from anymail.exceptions import AnymailError
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from digests import archive, freezing, permissions, readership, rendering, variants
from digests.models import Frozen, Issue, Snapshot
from digests.variant_keys import VariantKey
from mailkit import addresses, message
from staff import audit
from staff.audit_actions import AuditAction

log = logging.getLogger(__name__)

PREFIX = "[Proof] "
# Headers of list mail, and those set per copy. A proof has none, so it can end nobody's subscription.
LEFT_OUT = ("list-unsubscribe", "list-unsubscribe-post", "feedback-id", "precedence")
OWN = ("from", "to", "reply-to", "subject", "date", "message-id")
AWAY = _("The mail server could not be reached, or refused it. See that EMAIL_URL names one that runs, then try again.")


class NotSent(Exception):
    """The proof did not leave. The message is a sentence that says what to do."""


def send_proof(*, issue: Issue, to: str, actor: AbstractBaseUser | None, now: datetime, variant: str = "") -> None:
    """Send the issue as it is now to one address, marked as a proof, with public links only; or its variant.

    A frozen issue is sent from its snapshot. No delivery, consent or event is recorded.
    On failure: NotSent.
    """
    permissions.require(permissions.CHANGE, user=actor, issue=issue)
    try:
        address = addresses.normalise(to).address
        mail = _proof(preview(issue=issue, now=now, variant=variant), to=address)
    except (addresses.InvalidAddress, rendering.RenderingError) as refusal:
        raise NotSent(str(refusal)) from refusal
    try:
        mail.send()
    except (OSError, AnymailError) as error:
        log.warning("a proof of issue %s could not be sent (%s)", issue.pk, type(error).__name__)
        raise NotSent(AWAY) from error
    with transaction.atomic():
        audit.record(action=AuditAction.PROOF_SENT, actor=actor, target=issue, now=now, to=addresses.mask(address))
    log.info("proof of issue %s sent for user %s", issue.pk, actor.pk if actor else None)


def preview(*, issue: Issue, now: datetime, variant: str = "") -> Frozen:
    """The text of this key: of the snapshot; before it is frozen, as it would be now. Its own for an unknown key.

    On failure: RenderingError.
    """
    frozen = Snapshot.objects.filter(issue=issue).first()
    if frozen is not None:
        return frozen.variant(variant)
    if not variant:
        return freezing.preview(issue=issue, now=now)
    if variant in variants.offered(issue=issue):
        return freezing.preview(issue=issue, now=now, text=readership.Text(VariantKey(variant)))
    texts = (text for text in readership.of(issue=issue, now=now).texts if str(text.key) == variant)
    text = next(texts, readership.OWN_TEXT)
    return freezing.preview(issue=issue, now=now, text=text)


def _proof(snapshot: Frozen, *, to: str) -> message.Letter:
    fields = {name.lower(): (name, value) for name, value in snapshot.headers}
    mail = message.Letter(
        subject=PREFIX + snapshot.subject,
        body=archive.neutral_text(text=snapshot.text),
        from_email=fields["from"][1],
        to=[to],
        reply_to=[fields["reply-to"][1]] if "reply-to" in fields else None,
        headers=dict(pair for key, pair in fields.items() if key not in (*LEFT_OUT, *OWN)),
    )
    mail.attach_alternative(archive.neutral_html(html=snapshot.html), "text/html")
    mail.encoding = message.UTF8
    return mail
