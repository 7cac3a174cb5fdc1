"""The clock publishes what is due: once, in time, and one bad story holds up no other."""

import logging
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from articles import publishing, tasks
from articles.models import Article
from articles.tests.conftest import StoryMaker
from tests import clocks

State = Article.State
MINUTE = timedelta(minutes=1)


def scheduled(story: StoryMaker, hour: datetime, now: datetime, **fields: object) -> Article:
    article = story(**fields)
    publishing.schedule(article=article, publish_at=hour, actor=None, now=now)
    return article


def test_a_story_is_published_at_its_hour_and_not_before(story: StoryMaker, now: datetime) -> None:
    hour = now + timedelta(hours=2)
    article = scheduled(story, hour, now)
    with clocks.at(hour - MINUTE):
        tasks.tick()
    article.refresh_from_db()
    assert article.state == State.SCHEDULED
    with clocks.at(hour + MINUTE):
        tasks.tick()
    article.refresh_from_db()
    assert article.state == State.PUBLISHED
    assert article.published_at == hour
    assert article.first_published_at == hour + MINUTE
    assert article.publish_at is None


def test_ticking_again_changes_nothing(story: StoryMaker, now: datetime) -> None:
    article = scheduled(story, now + MINUTE, now)
    for _ in range(5):
        with clocks.at(now + 2 * MINUTE):
            tasks.tick()
    article.refresh_from_db()
    assert article.revisions.filter(note="Published").count() == 1


def test_a_bad_story_stays_scheduled_and_the_others_go_out(
    story: StoryMaker, now: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    bad = scheduled(story, now + MINUTE, now, headline="Bad")
    good = scheduled(story, now + 2 * MINUTE, now)
    Article.objects.filter(pk=bad.pk).update(body_markdown="![x](image:999)")
    with clocks.at(now + 3 * MINUTE), caplog.at_level(logging.INFO):
        tasks.tick()
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.state, good.state) == (State.SCHEDULED, State.PUBLISHED)
    assert f"Article {bad.pk} is due but not ready" in caplog.text


def test_an_unforeseen_fault_holds_up_no_other_story(
    story: StoryMaker, now: datetime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = scheduled(story, now + MINUTE, now), scheduled(story, now + MINUTE, now)
    real = publishing.publish_due

    def flaky(*, article: Article, now: datetime) -> None:
        if article.pk == bad.pk:
            raise RuntimeError("the moon")
        real(article=article, now=now)

    monkeypatch.setattr(publishing, "publish_due", flaky)
    with clocks.at(now + 2 * MINUTE):
        tasks.tick()
    good.refresh_from_db()
    assert good.state == State.PUBLISHED
    assert f"Article {bad.pk} could not be published: RuntimeError" in caplog.text


def test_a_story_taken_off_the_clock_in_the_last_second_is_not_published(story: StoryMaker, now: datetime) -> None:
    article = scheduled(story, now + MINUTE, now)
    stale = Article.objects.get(pk=article.pk)
    publishing.return_to_draft(article=article, actor=None, now=now)
    with pytest.raises(publishing.WrongState):
        publishing.publish_due(article=stale, now=now + 2 * MINUTE)
    article.refresh_from_db()
    assert article.state == State.DRAFT


def test_a_story_moved_to_a_later_hour_waits_for_it(story: StoryMaker, now: datetime) -> None:
    article = scheduled(story, now + MINUTE, now)
    publishing.schedule(article=article, publish_at=now + timedelta(hours=5), actor=None, now=now)
    with clocks.at(now + 2 * MINUTE):
        tasks.tick()
    article.refresh_from_db()
    assert article.state == State.SCHEDULED


def test_beat_rings_it_every_minute(settings: object) -> None:
    entry = settings.CELERY_BEAT_SCHEDULE["articles.tasks.tick"]  # type: ignore[attr-defined]  # pytest-django's fixture
    assert entry["task"] == tasks.tick.name
    assert entry["schedule"].remaining_estimate(timezone.now()) <= MINUTE
