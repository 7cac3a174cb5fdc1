"""Delete a draft. A story that readers have seen is withdrawn, never deleted."""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from articles import permissions
from articles.models import Article
from articles.refusals import NotAllowed, WrongState
from staff import audit
from staff.audit_actions import AuditAction

DELETE = "articles.delete_article"


def delete(*, article: Article, actor: User | None, now: datetime) -> None:
    """Delete a story that was never public, with its versions and bylines.

    On failure: NotAllowed, or WrongState once readers have seen it.
    """
    permissions.require(DELETE, user=actor)
    with transaction.atomic():
        row = Article.objects.select_for_update().filter(pk=article.pk).first()
        if row is None or row.first_published_at is not None:
            raise WrongState(_("Readers have seen this story. Withdraw it instead."))
        if actor is not None and not permissions.visible_to(actor).filter(pk=row.pk).exists():
            raise NotAllowed(_("You may delete only your own drafts. Ask an editor."))
        if row.translations.exists():
            raise WrongState(_("This story has translations. Delete those first."))
        row.delete()
        # The entry names the row by its number, which the deletion took from the object.
        row.pk = article.pk
        audit.record(action=AuditAction.STORY_DELETED, actor=actor, target=row, now=now)
