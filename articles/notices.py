"""Mails to the people of the desk: a story was given to them, sent back or approved, or a comment names them.

A notice is a courtesy: what waits for somebody is on their first page whether the mail arrives or not.
"""

from __future__ import annotations

from collections.abc import Iterable

from celery import shared_task
from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils.translation import gettext as _

from articles import permissions
from articles.models import Article, Comment
from mailkit import headers
from publication import urls
from publication.models import Publication
from staff import names


def assigned(*, article: Article, actor: User | None) -> None:
    """Tell the assignee, unless it was they who did it."""
    if article.assignee_id is not None and article.assignee_id != _id(actor):
        mail_assigned.delay_on_commit(article.pk, article.assignee_id)  # type: ignore[attr-defined]  # celery-types does not know Celery's Django task


def sent_back(*, article: Article, actor: User | None) -> None:
    """Tell its writers."""
    for writer in _others(article, actor):
        mail_sent_back.delay_on_commit(article.pk, writer.pk)  # type: ignore[attr-defined]  # as above


def approved(*, article: Article, actor: User | None) -> None:
    """Tell its writers."""
    for writer in _others(article, actor):
        mail_approved.delay_on_commit(article.pk, writer.pk)  # type: ignore[attr-defined]  # as above


def mentioned(*, comment: Comment) -> None:
    """Tell those whom the comment names."""
    for user_id in comment.mentioned.values_list("pk", flat=True):
        mail_mentioned.delay_on_commit(comment.pk, user_id)  # type: ignore[attr-defined]  # as above


@shared_task
def mail_assigned(article_id: int, user_id: int) -> None:
    """“Please read: Headline”, if the story still waits for this person."""
    article = Article.objects.filter(pk=article_id, assignee=user_id).first()
    if article is not None:
        _send(article, user_id, _("Please read: %(headline)s"), _("This story waits for you to read it."))


@shared_task
def mail_sent_back(article_id: int, user_id: int) -> None:
    """“Sent back: Headline” with the reason, if it is still with its author."""
    article = Article.objects.filter(pk=article_id, state=Article.State.DRAFT).exclude(returned_reason="").first()
    if article is not None:
        _send(article, user_id, _("Sent back: %(headline)s"), article.returned_reason)


@shared_task
def mail_approved(article_id: int, user_id: int) -> None:
    """“Approved: Headline”, if it still is."""
    article = Article.objects.filter(pk=article_id, state=Article.State.APPROVED).first()
    if article is not None:
        _send(article, user_id, _("Approved: %(headline)s"), _("Your story was read and may be published."))


@shared_task
def mail_mentioned(comment_id: int, user_id: int) -> None:
    """“A comment asks you: Headline”, if nobody resolved it meanwhile and the person may still read the story."""
    is_open = Comment.objects.filter(pk=comment_id, mentioned=user_id, resolved_at=None)
    comment = is_open.select_related("article", "created_by").first()
    user = User.objects.filter(pk=user_id).first()
    if comment is None or user is None or not permissions.may_view(user=user, article=comment.article):
        return
    name = names.of(comment.created_by) or _("Somebody")
    quote = f"“{comment.quote}”\n\n" if comment.quote else ""
    _send(comment.article, user_id, _("A comment asks you: %(headline)s"), f"{quote}{name}: {comment.text}")


def _send(article: Article, user_id: int, subject: str, text: str) -> None:
    user = User.objects.filter(pk=user_id, is_active=True).exclude(email="").first()
    if user is None or not settings.STAFF_NOTICES:
        return
    sender = Publication.objects.current().sender()
    page = urls.absolute(reverse("admin:articles_article_change", args=[article.pk]))
    EmailMessage(
        subject=subject % {"headline": article.headline},
        body=f"{article.headline}\n\n{text}\n\n{page}\n",
        from_email=headers.mailbox(name=sender.name, address=sender.address),
        to=[user.email],
        headers={"Auto-Submitted": "auto-generated"},
    ).send()


def _others(article: Article, actor: User | None) -> Iterable[User]:
    return permissions.writers(article=article).exclude(pk=_id(actor) or 0)


def _id(actor: User | None) -> int | None:
    return actor.pk if actor else None
