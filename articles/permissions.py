"""Who may do what to which story. The verbs check it; pages and actions ask it which buttons to show."""

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from articles.models import Article, ArticleQuerySet
from articles.refusals import NotAllowed

PUBLISH = "articles.publish_article"
EDIT_ANY = "articles.edit_any_article"
ADD = "articles.add_article"
CHANGE = "articles.change_article"


def own(user: User) -> Q:
    """Stories under the user's byline, and stories that the user began."""
    return Q(bylines__author__user=user) | Q(revisions__number=1, revisions__created_by=user)


def writers(*, article: Article) -> QuerySet[User]:
    """The accounts under whose byline the story is, and the one that began it."""
    begun = Q(pk__in=article.revisions.filter(number=1).values("created_by"))
    return User.objects.filter(Q(author__bylines__article=article) | begun).distinct()


def visible_to(user: User) -> ArticleQuerySet:
    """Every story for those who may edit or publish any; an author's own for an author."""
    stories = Article.objects.all()
    if user.has_perm(EDIT_ANY) or user.has_perm(PUBLISH):
        return stories
    return stories.filter(pk__in=Article.objects.filter(own(user)).values("pk"))


def may_view(*, user: User, article: Article) -> bool:
    """Whether the user may read this story before readers can."""
    return user.has_perm("articles.view_article") and visible_to(user).filter(pk=article.pk).exists()


def may_edit(*, user: User, article: Article) -> bool:
    """Whether the user may change the words of this story: any story, or one's own until it is submitted."""
    if not user.has_perm(CHANGE):
        return False
    if user.has_perm(EDIT_ANY):
        return True
    return article.state == Article.State.DRAFT and visible_to(user).filter(pk=article.pk).exists()


def require_edit(*, user: User | None, article: Article) -> None:
    """Return when the user may change the story; None is the system itself: a tick or a command."""
    if user is not None and not may_edit(user=user, article=article):
        raise NotAllowed(_("You may change only your own drafts. Ask an editor."))


def require(permission: str, *, user: User | None) -> None:
    """Return when the user has the permission; None is the system itself: a tick or a command."""
    if user is not None and not user.has_perm(permission):
        raise NotAllowed(_("Your account may not do this. Ask a publisher or an editor."))
