"""A newspaper in Bishkek: a digest in English with stories that are translated, stale, or not translated at all."""

from datetime import datetime

from articles import publishing, translations
from articles.models import Article
from digests import approval
from digests.models import Issue
from publication.models import Publication
from subscribers.models import Subscriber, Subscription


def speak(*further: str) -> None:
    """The publication has pages in these languages beside English."""
    row = Publication.objects.current()
    row.further_languages = list(further)
    row.save()


def translate(original: Article, language: str, headline: str, now: datetime) -> Article:
    """A public translation of the story."""
    draft = translations.translate(article=original, language=language, actor=None, now=now)
    draft.headline, draft.standfirst, draft.body_markdown = headline, f"{headline}.", headline
    draft.save()
    publishing.save_revision(article=draft, actor=None, now=now)
    publishing.publish(article=draft, actor=None, now=now)
    return draft


def read(subscriptions: list[Subscription], language: str) -> list[str]:
    """These readers read this language; their addresses."""
    readers = Subscriber.objects.filter(subscriptions__in=subscriptions)
    readers.update(language=language)
    return sorted(readers.values_list("address", flat=True))


def approve(issue: Issue, now: datetime) -> Issue:
    """As the clock does."""
    approval.approve(issue=issue, actor=None, now=now)
    return Issue.objects.select_related("newsletter", "snapshot").get(pk=issue.pk)
