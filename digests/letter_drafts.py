"""The draft of a letter: an issue with words of its own in place of stories."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser

from digests import second_person
from digests.models import Issue
from subscribers.models import Newsletter, Segment


def create(
    *,
    newsletter: Newsletter,
    subject: str,
    text: str,
    actor: AbstractBaseUser | None,
    now: datetime,
    segment: Segment | None = None,
    corrects: Issue | None = None,
) -> Issue:
    """Create it, in the caller's transaction, which asks for the right and writes the audit log.

    `segment` or `corrects` says who gets it: its readers, or who got that issue. Neither: all readers.
    """
    letter = Issue.objects.create(
        newsletter=newsletter,
        kind=Issue.Kind.LETTER,
        subject=subject,
        introduction=text,
        segment=segment,
        corrects=corrects,
        created_at=now,
    )
    second_person.edited(issue=letter, actor=actor)
    return letter
