"""Correct an issue that was sent: a letter to exactly those who got it.

The letter is an issue like any other: arranged, checked, proofed, approved and sent by the same engine. Only its
audience differs (`Issue.subscriptions`): of the readers whose copy was accepted, or may have arrived, those who may
still be mailed. decisions/0122 says why uncertain copies count.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import formats
from django.utils.translation import gettext as _

from digests import letter_drafts, permissions, states, stats
from digests.models import Issue
from publication import languages
from staff import audit
from staff.audit_actions import AuditAction

SUBJECT_LENGTH = 200


class NotAllowed(Exception):
    """This issue cannot be corrected; str() is a sentence for a person."""


def is_possible(*, issue: Issue) -> bool:
    """Whether the issue is over and somebody has, or may have, a copy that is still listed."""
    if issue.state not in states.FINISHED or issue.finished_at is None or stats.is_dropped(issue):
        return False
    by_state = stats.progress(issue).by_state
    return any(by_state[state] for state in states.MAY_HAVE_IT)


def subject(*, issue: Issue) -> str:
    """The subject that is offered, in the newsletter's language."""
    with languages.override(issue.newsletter.language):
        return (_("Correction: %(subject)s") % {"subject": _subject_of(issue)})[:SUBJECT_LENGTH]


def text(*, issue: Issue) -> str:
    """How the letter begins, in the newsletter's language: which mail it corrects. Markdown."""
    sent_at = (issue.started_at or issue.created_at).astimezone(ZoneInfo(issue.newsletter.time_zone))
    with languages.override(issue.newsletter.language):
        day = formats.date_format(sent_at, "DATE_FORMAT")
        return _("On %(day)s we sent you “%(subject)s”. A part of it was wrong.") % {
            "day": day,
            "subject": _subject_of(issue),
        }


@transaction.atomic
def draft(*, issue: Issue, subject: str, text: str, wrong: str, actor: AbstractBaseUser | None, now: datetime) -> Issue:
    """A draft letter to those who got the issue. `wrong` says for the team what was wrong; it is on the audit log.

    A second call with the same words finds the draft of the first and changes nothing. On failure: NotAllowed, also
    while a draft with other words waits.
    """
    permissions.require(permissions.CHANGE, user=actor, issue=issue)
    locked = Issue.objects.select_for_update(of=("self",), no_key=True).select_related("newsletter").get(pk=issue.pk)
    if not is_possible(issue=locked):
        raise NotAllowed(_("Only an issue that is over, and of which somebody has a copy, can be corrected."))
    waiting = locked.corrections.filter(state=Issue.State.DRAFT).first()
    if waiting is not None:
        if (waiting.subject, waiting.introduction) != (subject, text):
            raise NotAllowed(_("A correction of this issue is a draft already. Change or delete that one first."))
        return waiting
    letter = letter_drafts.create(
        newsletter=locked.newsletter, subject=subject, text=text, actor=actor, now=now, corrects=locked
    )
    audit.record(action=AuditAction.ISSUE_CORRECTED, actor=actor, target=locked, now=now, letter=letter.pk, wrong=wrong)
    return letter


def _subject_of(issue: Issue) -> str:
    frozen = getattr(issue, "snapshot", None)
    return str(frozen.subject if frozen else issue)
