"""A newspaper with four desks, whose readers choose topics."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from articles.models import Article, Section, Tag
from digests.models import Delivery, Issue
from subscribers import preferences
from subscribers.models import Subscription
from tests.cast import Publish

CULTURE, SPORT, BUSINESS, TRAVEL, CLIMATE = "Culture", "Sport", "Business", "Travel", "Climate"
# Story -> its section and, of one, its tag.
STORIES = {"The concert": (CULTURE, ""), "The match": (SPORT, ""), "The budget": (BUSINESS, CLIMATE)}


def desks() -> None:
    """The sections, and a tag."""
    for place, name in enumerate((CULTURE, SPORT, BUSINESS, TRAVEL)):
        Section.objects.create(name=name, slug=name.lower(), position=place)
    Tag.objects.create(name=CLIMATE, slug="climate")


def print_(publish: Publish, headline: str, section: str, at: datetime, tag: str = "") -> Article:
    """A story of this section, with this tag."""
    story = publish(headline, at, section=Section.objects.get(name=section))
    if tag:
        story.tags.add(Tag.objects.get(name=tag))
    return story


def choose(subscription: Subscription, *names: str, format: str = "", now: datetime) -> None:  # noqa: A002  # as the verb
    """As the preference page does."""
    sections = [f"section-{pk}" for pk in Section.objects.filter(name__in=names).values_list("pk", flat=True)]
    tags = [f"tag-{pk}" for pk in Tag.objects.filter(name__in=names).values_list("pk", flat=True)]
    assert len(names) == len(sections + tags)
    with transaction.atomic():
        preferences.choose_content(subscription=subscription, chosen=[*sections, *tags], format=format, now=now)


def shown(copy: Delivery) -> set[str]:
    """The headlines of a copy's own text."""
    headlines = Article.objects.filter(issue_items__issue=copy.issue_id).values_list("headline", flat=True)
    return {headline for headline in headlines if headline in copy.frozen.text}


def copies(issue: Issue) -> dict[str, Delivery]:
    """By the first part of the address."""
    rows = issue.deliveries.select_related("subscriber", "issue__snapshot")
    return {row.subscriber.address.partition("@")[0]: row for row in rows if row.subscriber}
