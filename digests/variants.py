"""An issue in the languages of its readers: which there are, what each shows, and which copies are made of it.

The issue's own text is its snapshot. For each further language that readers of the audience have when it is approved,
there is a variant of the snapshot, with the same stories in that language where they are translated. A newsletter with
a language of its own has no variants: all its readers get that one.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import BigIntegerField, F, Func, QuerySet

from articles import states, translations
from articles.models import Article
from digests.models import Issue, IssueItem, Variant
from publication import languages
from publication.models import Publication
from subscribers.models import Newsletter


def own_language(*, newsletter: Newsletter) -> str:
    """The language in which its issues are written: its own, or the publication's first."""
    return newsletter.language or languages.first()


def offered(*, issue: Issue) -> list[str]:
    """The further languages in which the issue may be: the publication's, unless its newsletter has one of its own."""
    return [] if issue.newsletter.language else Publication.objects.current().languages[1:]


def translated(items: Iterable[IssueItem], *, language: str, whole: bool = False) -> list[IssueItem]:
    """The items as readers of this language see them.

    Each has its story's public text in this language, or stays as it is where there is none. What an editor wrote for
    this issue in place of a headline or summary is in `translations` for this language; if it was written in the
    issue's own language alone, it gives way to the translated story's.
    """
    shown = list(items)
    texts = translations.stories_in(language, stories={item.article_id for item in shown}, whole=whole)
    for item in shown:
        if (text := texts.get(item.article_id, item.article)).pk != item.article_id:
            item.article, item.headline, item.summary = text, "", ""
        item.shown_in, words = language, item.translations.get(language, {})
        item.headline, item.summary = words.get("headline") or item.headline, words.get("summary") or item.summary
    return shown


def withdrawn(*, issue_id: int) -> QuerySet[Article, str]:
    """The headline of a translation that a variant of the frozen issue shows and that is not public any more."""
    shown = Variant.objects.filter(snapshot__issue=issue_id).annotate(
        story=Func(F("stories"), function="unnest", output_field=BigIntegerField(), set_returning=True)
    )
    gone = Article.objects.filter(pk__in=shown.values("story")).exclude(state__in=states.PUBLIC)
    return gone.order_by("pk").values_list("headline", flat=True)[:1]
