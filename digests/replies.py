"""Replies of readers to issues: stored, given to a story, and published as letters to the editor.

decisions/0191 says what is a reply, whose it is, and what becomes of it.
"""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, User
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from articles import reader_letters, refusals
from articles.models import Article
from digests.models import Delivery, IssueItem, Reply
from staff import audit
from staff.audit_actions import AuditAction
from subscribers import permissions
from subscribers.models import Subscriber

VIEW: Final = "digests.view_reply"
RIGHT: Final = "digests.change_reply"
MOST_PER_COPY: Final = 20
KEEP_SPAM: Final = timedelta(days=30)
CHUNK: Final = 500
# A story of ours in what somebody wrote or quoted, also behind a counted link.
STORY: Final = re.compile(r"/articles/([a-z0-9-]{1,200})(?![a-z0-9-])")
State = Reply.State


class NotPossible(Exception):
    """Nothing was changed; str() is a sentence for an editor."""


def copy_of(named: tuple[uuid.UUID, ...]) -> Delivery | None:
    """The copy that a mail answers, of a reader who is there still."""
    copies = Delivery.objects.filter(uuid__in=named, subscriber__isnull=False).select_related("subscriber", "issue")
    by_uuid = {copy.uuid: copy for copy in copies}
    return next((by_uuid[one] for one in named if one in by_uuid), None)


def is_known(fingerprint: str) -> bool:
    """Whether the mail was stored before."""
    return Reply.objects.filter(fingerprint=fingerprint).exists()


def has_room(copy: Delivery) -> bool:
    """Whether one more reply to this copy is stored: more than MOST_PER_COPY are an attempt to fill our tables."""
    return Reply.objects.filter(delivery_uuid=copy.uuid)[:MOST_PER_COPY].count() < MOST_PER_COPY


def store(*, copy: Delivery, fingerprint: str, **mail: Any) -> bool:
    """Store it once, however often it is called; False if its reader is no more. `mail` are columns of `Reply`."""
    story = story_of(issue_id=copy.issue_id, text=mail["text"], quoted=mail["quoted"])
    with transaction.atomic():
        # An erasure waits, or has taken the reader out; then nothing is kept.
        reader = Subscriber.objects.select_for_update(no_key=True).filter(pk=copy.subscriber_id or 0).first()
        if reader is None:
            return False
        Reply.objects.get_or_create(
            fingerprint=fingerprint,
            defaults={
                "issue_id": copy.issue_id, "delivery_uuid": copy.uuid, "subscriber": reader,
                "story": story, **mail,
            },
        )  # fmt: skip
    return True


def story_of(*, issue_id: int, text: str, quoted: str) -> Article | None:
    """The story that it is about, where that is plain: the issue's only one, or the only one that it names."""
    stories = Article.objects.filter(
        Exists(IssueItem.objects.filter(issue=issue_id, included=True, article=OuterRef("pk")))
    )
    few = list(stories[:2])
    if len(few) == 1:
        return few[0]
    for words in (text, quoted):
        named = list(Article.objects.filter(slug__in=set(STORY.findall(words)[:50]))[:2])
        if len(named) == 1:
            return named[0]
    return None


def seen(*, user: AbstractBaseUser | None) -> QuerySet[Reply]:
    """Replies to the issues of this person's newsletters."""
    rows = Reply.objects.select_related("issue__newsletter", "story", "letter", "handled_by")
    return permissions.of_newsletters(rows, user=user, field="issue__newsletter")


@transaction.atomic
def settle(*, reply: Reply, state: str, actor: AbstractBaseUser | None, now: datetime) -> None:
    """Call it done or spam, or new again. One whose letter is public is not spam. On failure: NotPossible."""
    row = _locked(reply, actor)
    if state == State.SPAM and row.letter_id is not None:
        raise NotPossible(_("Its letter is public. Withdraw that first."))
    if row.state == state:
        return
    _note(row, actor, now, state=State(state).value)
    audit.record(action=AuditAction.REPLY_SETTLED, actor=actor, target=row, now=now, state=state)


@transaction.atomic
def assign(*, reply: Reply, story: Article | None, actor: AbstractBaseUser | None, now: datetime) -> None:
    """Say which story it is about. One whose letter is public stays there. On failure: NotPossible."""
    row = _locked(reply, actor)
    if row.letter_id is not None:
        raise NotPossible(_("Its letter is public. Withdraw that first."))
    _note(row, actor, now, story=story)
    audit.record(action=AuditAction.REPLY_ASSIGNED, actor=actor, target=row, now=now, story=str(story) if story else "")


@transaction.atomic
def publish(*, reply: Reply, name: str, text: str, actor: User | None, now: datetime) -> None:
    """Publish it below its story under this name, and call it done. A second call changes nothing.

    On failure: NotPossible.
    """
    row = _locked(reply, actor)
    if row.letter_id is not None:
        return
    if row.story is None:
        raise NotPossible(_("Choose the story that it is about first."))
    try:
        letter = reader_letters.publish(article=row.story, name=name, text=text, actor=actor, now=now)
    except refusals.PublishingError as refusal:
        raise NotPossible(str(refusal)) from refusal
    _note(row, actor, now, letter=letter, state=State.DONE)
    audit.record(action=AuditAction.READER_LETTER_PUBLISHED, actor=actor, target=row.story, now=now, letter=letter.pk)


@transaction.atomic
def withdraw(*, reply: Reply, actor: User | None, now: datetime) -> None:
    """Take its letter off the page. On failure: NotPossible."""
    row = _locked(reply, actor)
    letter = row.letter
    if letter is None:
        return
    pk, story = letter.pk, letter.article
    _note(row, actor, now, letter=None)
    try:
        reader_letters.withdraw(letter=letter, actor=actor)
    except refusals.PublishingError as refusal:
        raise NotPossible(str(refusal)) from refusal
    audit.record(action=AuditAction.READER_LETTER_WITHDRAWN, actor=actor, target=story, now=now, letter=pk)


def forget(*, now: datetime) -> int:
    """Delete spam after KEEP_SPAM, and what has no letter after RETENTION_DAYS, as copies; return how many."""
    old = Q(state=State.SPAM, received_at__lt=now - KEEP_SPAM)
    old |= Q(letter__isnull=True, received_at__lt=now - timedelta(days=settings.RETENTION_DAYS))
    chosen = list(Reply.objects.filter(old).order_by().values_list("pk", flat=True)[:CHUNK])
    return Reply.objects.filter(pk__in=chosen).delete()[0]


def _locked(reply: Reply, actor: AbstractBaseUser | None) -> Reply:
    """The row, if this person may handle it. On failure: PermissionDenied."""
    row = (
        Reply.objects.select_for_update(of=("self",), no_key=True)
        .select_related("issue", "story", "letter")
        .get(pk=reply.pk)
    )
    permissions.require(RIGHT, user=actor, newsletter=row.issue.newsletter_id)
    return row


def _note(row: Reply, actor: AbstractBaseUser | None, now: datetime, **changes: Any) -> None:
    for name, value in changes.items():
        setattr(row, name, value)
    row.handled_by_id, row.handled_at = actor.pk if actor else None, now
    row.save(update_fields=[*changes, "handled_by", "handled_at"])
