"""Mend a slip in a correction that readers can see: the words change, and the audit log keeps both."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from articles import permissions
from articles.models import Correction
from articles.refusals import NotReady
from staff import audit
from staff.audit_actions import AuditAction

# Characters of each text in the audit log, so that a correction as long as a story is no burden there.
LOGGED_CHARACTERS = 300


@transaction.atomic
def mend(*, correction: Correction, text: str, actor: User | None, now: datetime) -> None:
    """Give the correction other words. The same words again change nothing. On failure: NotAllowed, NotReady."""
    permissions.require(permissions.EDIT_ANY, user=actor, article=correction.article)
    if not (text := text.strip()):
        raise NotReady(_("Say what was wrong, and what is right."))
    row = Correction.objects.select_for_update(of=("self",), no_key=True).get(pk=correction.pk)
    if row.text == text:
        return
    before, row.text = row.text, text
    row.save(update_fields=["text"])
    audit.record(
        action=AuditAction.CORRECTION_MENDED, actor=actor, target=row.article, now=now,
        before=before[:LOGGED_CHARACTERS], text=text[:LOGGED_CHARACTERS],
    )  # fmt: skip
