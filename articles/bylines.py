"""The byline of an account: the author under whose name it writes."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.text import slugify

from articles import slugs
from articles.models import Article, Author, Byline
from staff import names


def of(*, user: User) -> Author:
    """The author of this account; it is made, or found by its name, when there is none yet."""
    author = Author.objects.filter(user=user).first()
    if author is not None:
        return author
    name = names.of(user)[:120]
    with transaction.atomic():
        unclaimed = Author.objects.select_for_update().filter(name=name, user=None).order_by("pk").first()
        if unclaimed is None:
            return Author.objects.create(name=name, slug=_free_slug(name), user=user)
        unclaimed.user = user
        unclaimed.save(update_fields=["user"])
    return unclaimed


def sign(*, article: Article, user: User) -> None:
    """Put the writer's own name under a new story, unless somebody's is there already."""
    if not article.bylines.exists():
        Byline.objects.create(article=article, author=of(user=user))


def _free_slug(name: str) -> str:
    base = slugify(name)[:100] or "author"
    return slugs.numbered(base, taken=set(Author.objects.filter(slug__startswith=base).values_list("slug", flat=True)))
