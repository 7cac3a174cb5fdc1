"""An imported archive: old stories have their pages at once, and are not mailed automatically."""

from datetime import datetime, timedelta

import pytest
from django.test import Client

from articles import publishing
from articles.models import Article, Section
from digests import composing, freezing
from digests.models import Issue, IssueItem
from subscribers.models import Cadence, Newsletter
from tests.cast import Publish, account

DAYS = timedelta(days=1)


def move_in(section: Section, now: datetime, *, days: float) -> Article:
    """A story with an old date, published a minute ago."""
    story = Article.objects.create(
        headline="Long ago",
        slug=f"long-ago-{days}",
        section=section,
        body_markdown="It was.",
        published_at=now - days * DAYS,
    )
    publishing.publish(article=story, actor=None, now=now - timedelta(minutes=1))
    story.refresh_from_db()
    return story


def test_an_archive_is_mailed_neither_at_once_nor_with_the_next_digest(
    newsletter: Newsletter, section: Section, publish: Publish, now: datetime, client: Client
) -> None:
    Newsletter.objects.update(auto_approve=True)
    archive = [move_in(section, now, days=days) for days in (730, 8)]
    assert composing.compose_instant(now=now) == []

    publish("Today", now - timedelta(hours=1))
    issue = composing.compose_as_of(newsletter=newsletter, cadence=Cadence.DAILY, at=now, now=now)
    assert [item.article.headline for item in issue.items.all()] == ["Today"]
    assert client.get(archive[0].get_absolute_url()).status_code == 200
    assert list(Article.objects.published().filter(pk__in=[story.pk for story in archive]).order_by("pk")) == archive


@pytest.mark.parametrize("days", [0, 6.9])
def test_news_that_is_dated_a_little_back_is_mailed(
    newsletter: Newsletter, section: Section, now: datetime, days: float
) -> None:
    story = move_in(section, now, days=days)

    assert [issue.items.get().article for issue in composing.compose_instant(now=now)] == [story]


def test_an_editor_who_composes_by_hand_is_shown_the_archive(
    newsletter: Newsletter, section: Section, now: datetime
) -> None:
    story = move_in(section, now, days=730)
    issue = composing.compose_new(
        newsletter=newsletter, cadence=Cadence.DAILY, actor=account("edda", "Editor"), now=now
    )

    assert issue.state == Issue.State.DRAFT
    assert [item.article for item in issue.items.all()] == [story]


def test_an_editor_may_mail_an_old_story_all_the_same(digest: Issue, section: Section, now: datetime) -> None:
    story = move_in(section, now, days=730)
    IssueItem.objects.create(issue=digest, article=story, position=9)

    assert "Long ago" in freezing.freeze(issue=digest, now=now).text
