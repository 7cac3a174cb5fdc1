"""The stories to read after one: those with the same tags, then those of the same section."""

from collections import Counter

from articles.models import Article

CANDIDATES = 24


def stories(article: Article, *, number: int) -> list[Article]:
    """At most `number` public stories, those with the most tags in common first, then the newest. Two queries."""
    tags = [tag.pk for tag in article.tags.all()]
    public = Article.objects.listed().exclude(pk=article.pk)
    shared = Article.tags.through.objects.filter(tag__in=tags, article__in=public)
    newest = shared.order_by("-article__published_at", "-article").values_list("article", flat=True)
    counted = Counter(newest[: CANDIDATES * len(tags)] if tags else [])
    ranked = [pk for pk, _count in counted.most_common(number)]
    same_desk = public.filter(section=article.section_id).newest_first().values_list("pk", flat=True)[:number]
    chosen = list(dict.fromkeys([*ranked, *same_desk]))[:number]
    by_number = {story.pk: story for story in public.for_cards().filter(pk__in=chosen)}
    return [by_number[pk] for pk in chosen if pk in by_number]
