"""Who may do what to which story. The verbs check it; pages and actions ask it which buttons to show."""

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from articles.models import Article, ArticleQuerySet, Byline, Revision, Section
from articles.refusals import NotAllowed
from staff import limits
from staff.models import LimitKind
from staff.ordering import Order

PUBLISH = "articles.publish_article"
EDIT_ANY = "articles.edit_any_article"
ADD = "articles.add_article"
CHANGE = "articles.change_article"
SECTIONS = Order(Section, "articles.change_section", (LimitKind.SECTION,))


def own(user: User) -> Q:
    """Stories under the user's byline, and stories that the user began; asked of each story by itself."""
    written = Byline.objects.filter(article=OuterRef("pk"), author__user=user)
    begun = Revision.objects.filter(article=OuterRef("pk"), number=1, created_by=user)
    return Q(Exists(written)) | Q(Exists(begun))


def writers(*, article: Article) -> QuerySet[User]:
    """The accounts under whose byline the story is, and the one that began it."""
    begun = Q(pk__in=article.revisions.filter(number=1).values("created_by"))
    return User.objects.filter(Q(author__bylines__article=article) | begun).distinct()


def visible_to(user: User) -> ArticleQuerySet:
    """Every story of their sections for those who may edit or publish any; besides, everybody's own."""
    stories = Article.objects.all()
    mine = Q(pk__in=Article.objects.filter(own(user)).values("pk"))
    if not (user.has_perm(EDIT_ANY) or user.has_perm(PUBLISH)):
        return stories.filter(mine)
    sections = limits.of(user, kind=LimitKind.SECTION)
    return stories if sections is None else stories.filter(mine | Q(section__in=sections))


def sections_of(user: User) -> QuerySet[Section]:
    """The sections that the user may put stories into."""
    return limits.narrowed(Section.objects.all(), user=user, kind=LimitKind.SECTION, field="pk")


def has_section(user: User | None, *, article: Article) -> bool:
    """Whether the story, as it is stored, is in a section of the user."""
    sections = limits.of(user, kind=LimitKind.SECTION)
    return sections is None or Article.objects.filter(pk=article.pk, section__in=sections).exists()


def may_view(*, user: User, article: Article) -> bool:
    """Whether the user may read this story before readers can."""
    return user.has_perm("articles.view_article") and visible_to(user).filter(pk=article.pk).exists()


def may_edit(*, user: User, article: Article) -> bool:
    """Whether the user may change the words of this story: any of their sections, or an own draft."""
    if not user.has_perm(CHANGE):
        return False
    if user.has_perm(EDIT_ANY) and has_section(user, article=article):
        return True
    return article.state == Article.State.DRAFT and visible_to(user).filter(pk=article.pk).exists()


def require_edit(*, user: User | None, article: Article) -> None:
    """Return when the user may change the story; None is the system itself: a tick or a command."""
    if user is not None and not may_edit(user=user, article=article):
        raise NotAllowed(_("You may change only your own drafts. Ask an editor."))


def require(permission: str, *, user: User | None, article: Article | None = None) -> None:
    """Return when the user has the permission, and the story's section; None is the system: a tick or a command."""
    if user is not None and not user.has_perm(permission):
        raise NotAllowed(_("Your account may not do this. Ask a publisher or an editor."))
    if article is not None and not has_section(user, article=article):
        raise NotAllowed(_("This story is in a section that is not yours. Ask a publisher or an editor of it."))


def require_section(*, user: User | None, section: int, before: int | None) -> None:
    """Return when the user may put a story that was in `before` into this section."""
    if section != before and not limits.allows(user, kind=LimitKind.SECTION, object_id=section):
        raise NotAllowed(_("You may put stories only into your own sections."))


limits.register(kind=LimitKind.SECTION, names=lambda: dict(Section.objects.values_list("pk", "name")))
