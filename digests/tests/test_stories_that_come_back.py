"""A story that was withdrawn when its digest was composed comes with the next one after it is public again, once."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from articles import publishing
from articles.models import Article, Section
from digests import composing, freezing, series
from digests.models import Issue, IssueItem
from subscribers.models import Cadence, Newsletter
from tests.cast import SINCE, Publish

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
Composed = Callable[[datetime], list[str]]


@pytest.fixture
def daily(newsletter: Newsletter) -> Composed:
    """The stories of the digest composed at an instant."""

    def compose(at: datetime) -> list[str]:
        issue = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=at)
        return [item.article.headline for item in issue.items.order_by("position")]

    return compose


@pytest.fixture
def story(publish: Publish, now: datetime) -> Article:
    publish("Another", now - 2 * HOUR)
    return publish("One", now - HOUR, body_markdown="It happened.")


def withdraw(story: Article, at: datetime) -> None:
    publishing.withdraw(article=story, reason="Wrong.", actor=None, now=at)


def publish_again(story: Article, at: datetime) -> None:
    publishing.publish(article=story, actor=None, now=at)


def test_it_comes_with_the_next_digest_and_with_no_other(
    daily: Composed, story: Article, publish: Publish, now: datetime
) -> None:
    withdraw(story, now - HOUR / 2)
    assert daily(now) == ["Another"]
    publish_again(story, now + HOUR)
    publish("Newer", now + 2 * HOUR)
    assert daily(now + DAY) == ["Newer", "One"]
    publish("Newest", now + DAY + HOUR)
    assert daily(now + 2 * DAY) == ["Newest"]


@pytest.mark.parametrize("hour", [HOUR, DAY])
def test_it_fills_a_digest_by_itself(daily: Composed, story: Article, now: datetime, hour: timedelta) -> None:
    """Also when it comes back at the very end of the window."""
    withdraw(story, now - HOUR / 2)
    daily(now)
    publish_again(story, now + hour)
    assert daily(now + DAY) == ["One"]


def test_one_that_a_digest_had_is_not_sent_again(daily: Composed, story: Article, now: datetime) -> None:
    assert daily(now) == ["One", "Another"]
    withdraw(story, now + HOUR)
    publish_again(story, now + 2 * HOUR)
    assert daily(now + DAY) == []


def test_one_that_an_editor_left_out_is_not_offered_again(daily: Composed, story: Article, now: datetime) -> None:
    daily(now)
    IssueItem.objects.filter(article=story).update(included=False)
    withdraw(story, now + HOUR)
    publish_again(story, now + 2 * HOUR)
    assert daily(now + DAY) == []


def test_one_that_came_back_too_late_for_this_window_is_in_the_next(
    daily: Composed, story: Article, now: datetime
) -> None:
    withdraw(story, now - HOUR / 2)
    daily(now)
    publish_again(story, now + DAY + HOUR)
    assert daily(now + DAY) == []
    assert daily(now + 2 * DAY) == ["One"]


def test_one_that_came_back_into_an_earlier_window_is_that_windows(
    daily: Composed, story: Article, now: datetime
) -> None:
    withdraw(story, now - HOUR / 2)
    daily(now)
    publish_again(story, now + HOUR)
    assert daily(now + DAY) == ["One"]
    IssueItem.objects.filter(article=story).delete()
    assert daily(now + 2 * DAY) == []


def test_one_of_a_section_that_the_newsletter_does_not_bring_stays_away(
    daily: Composed, newsletter: Newsletter, section: Section, publish: Publish, now: datetime
) -> None:
    newsletter.sections.add(section)
    publish("Another", now - 2 * HOUR)
    sport = Section.objects.create(name="Sport", slug="sport")
    theirs = publish("Theirs", now - HOUR, section=sport, body_markdown="It happened.")
    withdraw(theirs, now - HOUR / 2)
    assert daily(now) == ["Another"]
    publish_again(theirs, now + HOUR)
    assert daily(now + DAY) == []


@pytest.mark.parametrize("first_published_at", [SINCE - DAY, SINCE + DAY])
def test_old_news_does_not_come_back(
    daily: Composed, publish: Publish, now: datetime, first_published_at: datetime
) -> None:
    """From before the newsletter had this cadence, or older than the catch-up limit."""
    later = now + series.CATCH_UP if first_published_at > SINCE else now
    old = publish("Old", first_published_at, body_markdown="It happened.")
    withdraw(old, first_published_at + HOUR)
    publish("Another", later - HOUR)
    assert daily(later) == ["Another"]
    publish_again(old, later + HOUR)
    assert daily(later + DAY) == []


def test_it_waits_for_no_window_that_was_composed_already(story: Article, daily: Composed, now: datetime) -> None:
    """A clock of the web server that is behind puts it into no window of the past."""
    withdraw(story, now - HOUR / 2)
    daily(now)
    publish_again(story, now - HOUR / 4)
    story.refresh_from_db()
    assert story.republished_at is not None
    assert story.republished_at > now
    assert daily(now + DAY) == ["One"]


def test_one_that_was_withdrawn_between_composing_and_freezing_is_in_neither_and_comes_back(
    daily: Composed, story: Article, publish: Publish, now: datetime
) -> None:
    """For automatic approval, and for an editor who approves again."""
    assert daily(now) == ["One", "Another"]
    withdraw(story, now + HOUR)
    digest = Issue.objects.get()
    freezing.freeze(issue=digest, now=now + HOUR)
    assert [item.article.headline for item in digest.items.all()] == ["Another"]
    publish_again(story, now + 2 * HOUR)
    assert daily(now + DAY) == ["One"]
