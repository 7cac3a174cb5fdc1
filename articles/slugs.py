"""The slugs of stories: an old one redirects to the new one, and no story takes over another's."""

from collections.abc import Collection

from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from articles.models import Article, SlugRedirect
from articles.refusals import SlugTaken

__all__ = ["SlugTaken", "check", "free", "moved", "numbered"]

LENGTH = 80


def check(*, slug: str, article_id: int | None) -> None:
    """Return when the story may live at `slug`; otherwise raise SlugTaken."""
    if Article.objects.filter(slug=slug).exclude(pk=article_id or 0).exists():
        raise SlugTaken(_("Another story lives at this address. Choose a different one."))
    if SlugRedirect.objects.filter(slug=slug).exclude(article__pk=article_id or 0).exists():
        raise SlugTaken(
            _("This address once belonged to another story, and readers' old links lead there. Choose a different one.")
        )


def free(*, headline: str) -> str:
    """A slug of the headline's words that no story has or had."""
    base = slugify(headline)[:LENGTH].strip("-") or "story"
    taken = {
        *Article.objects.filter(slug__startswith=base).values_list("slug", flat=True),
        *SlugRedirect.objects.filter(slug__startswith=base).values_list("slug", flat=True),
    }
    return numbered(base, taken=taken)


def numbered(base: str, *, taken: Collection[str]) -> str:
    """The first of `base`, `base-2`, `base-3` and so on that is not taken."""
    candidates = (f"{base}-{number}" if number > 1 else base for number in range(1, len(taken) + 2))
    return next(slug for slug in candidates if slug not in taken)


def moved(*, article: Article, old: str) -> None:
    """Keep `old` leading to the story, which lives at its new slug now.

    Redirects point to the story and never to an address, so a chain of moves is
    always one step long. A story that no reader has seen leaves nothing behind.
    """
    SlugRedirect.objects.filter(slug=article.slug, article=article).delete()
    if article.first_published_at is not None and old != article.slug:
        SlugRedirect.objects.get_or_create(slug=old, defaults={"article": article})
