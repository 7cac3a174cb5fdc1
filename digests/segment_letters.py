"""Write a letter to a segment of a newsletter's readers: an issue like any other, with an audience of its own.

It is arranged, checked, proofed, approved and sent by the same engine, so it goes to those of the segment who may be
mailed, once each. The conditions are frozen with it (`freezing`); who meets them is asked when it is planned.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from digests import letter_drafts
from digests.models import Issue
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import permissions
from subscribers.models import Segment

RIGHT: Final = "digests.add_issue"


@transaction.atomic
def draft(*, segment: Segment, subject: str, text: str, actor: AbstractBaseUser | None, now: datetime) -> Issue:
    """A draft letter to the segment. A second call with the same words finds the draft of the first.

    On failure: PermissionDenied.
    """
    permissions.require(RIGHT, user=actor, newsletter=segment.newsletter_id)
    locked = (
        Segment.objects.select_for_update(of=("self",), no_key=True).select_related("newsletter").get(pk=segment.pk)
    )
    waiting = locked.letters.filter(state=Issue.State.DRAFT, subject=subject, introduction=text).first()
    if waiting is not None:
        return waiting
    letter = letter_drafts.create(
        newsletter=locked.newsletter, subject=subject, text=text, actor=actor, now=now, segment=locked
    )
    audit.record(action=AuditAction.SEGMENT_LETTER_WRITTEN, actor=actor, target=letter, now=now, segment=locked.name)
    return letter
