"""The review of a story: who is to read it, what was remarked, and what waits for whom.

Submitting, sending back and approving change the state, so they are verbs of `articles.publishing`.
"""

from __future__ import annotations

from datetime import date, datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from articles import mentions, notices, permissions, states
from articles.models import Article, ArticleQuerySet, Comment
from articles.refusals import NotAllowed, NotReady, WrongState
from staff import audit, names
from staff.audit_actions import AuditAction

State = Article.State
# Before somebody decides when readers get it: such a story can be given to somebody, and planned.
OPEN = (State.DRAFT, State.IN_REVIEW, State.APPROVED)
QUOTE_LENGTH = 500  # as the column


def waiting_for(user: User) -> ArticleQuerySet:
    """Stories that wait for this person: to be read, mended, published, or with a comment to be answered.

    In review: for the assignee, else for every editor. Sent back, or with comments of somebody else that are open:
    for the writers and the assignee. Approved: for those who publish. With an open comment that names them: for
    those, whatever became of the story.
    """
    remarks = Comment.objects.filter(article=OuterRef("pk"), resolved_at=None).exclude(created_by=user)
    mine = permissions.own(user)
    waits = Q(state=State.IN_REVIEW, assignee=user) | Q(state=State.DRAFT) & ~Q(returned_reason="") & mine
    waits |= Exists(remarks) & (mine | Q(assignee=user))
    if user.has_perm(permissions.EDIT_ANY):
        waits |= Q(state=State.IN_REVIEW, assignee=None)
    if user.has_perm(permissions.PUBLISH):
        waits |= Q(state=State.APPROVED)
    # A story that is out or gone needs nobody, whatever was remarked, but for those who are asked by name.
    waits &= Q(state__in=states.AT_WORK)
    # Two lists by their indexes, put together: an "or" of both would read every story.
    at_work, naming = Article.objects.filter(waits).values("pk"), _naming(user).values("article")
    return permissions.visible_to(user).filter(pk__in=at_work.union(naming))


def _naming(user: User) -> QuerySet[Comment]:
    """Open comments that name this person."""
    return Comment.objects.filter(mentioned=user, resolved_at=None)


def why(*, article: Article, user: User) -> str:
    """What a story of `waiting_for` waits for, in a few words."""
    naming = _naming(user).filter(article=article).select_related("created_by").last()
    if naming is not None:
        return _("%(name)s asks you: %(text)s") % {
            "name": names.of(naming.created_by) or _("Somebody"), "text": Truncator(naming.text).chars(80),
        }  # fmt: skip
    if article.state == State.DRAFT and article.returned_reason:
        return _("Sent back: %(reason)s") % {"reason": article.returned_reason}
    is_anybodys = article.assignee_id is None and user.has_perm(permissions.EDIT_ANY)
    if article.state == State.IN_REVIEW and (is_anybodys or article.assignee_id == user.pk):
        return _("To be read")
    if article.state == State.APPROVED and user.has_perm(permissions.PUBLISH):
        return _("Approved, to be published")
    count = article.comments.filter(resolved_at=None).exclude(created_by=user).count()
    return ngettext("%(count)s open comment", "%(count)s open comments", count) % {"count": count}


def readers() -> QuerySet[User]:
    """Those to whom a story can be given: active editors and publishers, by name."""
    backend = "django.contrib.auth.backends.ModelBackend"
    able = User.objects.with_perm(permissions.EDIT_ANY, backend=backend, include_superusers=True)
    return able.filter(is_active=True, is_staff=True).order_by("first_name", "username")


def assign(*, article: Article, assignee: User | None, actor: User | None, now: datetime) -> None:
    """Give the story to somebody who reads it, or to every editor. On failure: NotAllowed, WrongState."""
    permissions.require(permissions.EDIT_ANY, user=actor, article=article)
    if assignee is not None and not readers().filter(pk=assignee.pk).exists():
        raise NotAllowed(_("%(name)s may not edit stories.") % {"name": assignee.get_username()})
    with transaction.atomic():
        if Article.objects.filter(pk=article.pk, state__in=OPEN).update(assignee=assignee) != 1:
            raise WrongState(_("The story is out already, so nobody needs to read it."))
        article.refresh_from_db(fields=["assignee", "state"])
        name = assignee.get_username() if assignee else ""
        audit.record(action=AuditAction.STORY_ASSIGNED, actor=actor, target=article, now=now, assignee=name)
    notices.assigned(article=article, actor=actor)


def plan(*, article: Article, day: date | None, actor: User | None, now: datetime) -> None:
    """Note for which day a story that is not out is planned. On failure: NotAllowed, WrongState."""
    permissions.require_edit(user=actor, article=article)
    with transaction.atomic():
        if Article.objects.filter(pk=article.pk, state__in=OPEN).update(planned_for=day) != 1:
            raise WrongState(_("Only a story that is not out yet can be planned for a day."))
        article.refresh_from_db(fields=["planned_for"])
        shown = day.isoformat() if day else ""
        audit.record(action=AuditAction.STORY_PLANNED, actor=actor, target=article, now=now, day=shown)


def comment(*, article: Article, text: str, actor: User, now: datetime, quote: str = "") -> Comment:
    """Remark on a story, or on quoted words of it; those whom it names get a mail. On failure: NotAllowed, NotReady."""
    _require_sight(article, actor)
    if not (text := text.strip()):
        raise NotReady(_("Write the comment first."))
    with transaction.atomic():
        row = Comment.objects.create(
            article=article, text=text, quote=quote.strip()[:QUOTE_LENGTH], created_by=actor, created_at=now
        )
        row.mentioned.set(mentions.of(text=text, article=article, author=actor))
        audit.record(action=AuditAction.STORY_COMMENTED, actor=actor, target=article, now=now, comment=row.pk)
        notices.mentioned(comment=row)
    return row


def resolve(*, remark: Comment, actor: User, now: datetime) -> None:
    """Say that a comment needs no more work; to do it again changes nothing. On failure: NotAllowed."""
    _close(remark, actor, now, AuditAction.STORY_COMMENT_RESOLVED, resolved_by=actor, resolved_at=now)


def reopen(*, remark: Comment, actor: User, now: datetime) -> None:
    """Take back that a comment is resolved; to do it again changes nothing. On failure: NotAllowed."""
    _close(remark, actor, now, AuditAction.STORY_COMMENT_REOPENED, resolved_by=None, resolved_at=None)


def _close(
    remark: Comment,
    actor: User,
    now: datetime,
    action: AuditAction,
    *,
    resolved_by: User | None,
    resolved_at: datetime | None,
) -> None:
    article = remark.article
    _require_sight(article, actor)
    with transaction.atomic():
        was_open = resolved_at is not None
        rows = Comment.objects.filter(pk=remark.pk, resolved_at__isnull=was_open)
        if rows.update(resolved_by=resolved_by, resolved_at=resolved_at):
            audit.record(action=action, actor=actor, target=article, now=now, comment=remark.pk)
    remark.refresh_from_db()


def _require_sight(article: Article, actor: User) -> None:
    if not permissions.may_view(user=actor, article=article):
        raise NotAllowed(_("This story is not yours."))
