"""A story is in exactly one window, however publishing and composing meet. Two real connections each."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction

from articles import publishing
from articles.models import Article
from articles.tests.conftest import StoryMaker

pytestmark = pytest.mark.django_db(transaction=True)
HELD = 0.6


class Meanwhile(threading.Thread):
    """Work on a connection of its own; `outcome` is what it raised, or None."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.work = work
        self.outcome: Exception | None = None

    def run(self) -> None:
        try:
            self.work()
        except Exception as error:  # noqa: BLE001  # handed to the test
            self.outcome = error
        finally:
            connection.close()


def compose(start: datetime | None, end: datetime) -> list[int]:
    with transaction.atomic():
        publishing.close_window(end=end)
        return list(Article.objects.released_between(start, end).values_list("pk", flat=True))


def test_composing_waits_for_a_release_that_is_under_way(story: StoryMaker, now: datetime) -> None:
    article = story()
    gathered: list[int] = []
    end = now + timedelta(minutes=1)
    with transaction.atomic():
        publishing.publish(article=article, actor=None, now=now)
        thread = Meanwhile(lambda: gathered.extend(compose(None, end)))
        thread.start()
        thread.join(timeout=HELD)
        assert thread.is_alive(), "composing did not wait"
    thread.join(timeout=15)
    assert thread.outcome is None
    assert gathered == [article.pk]


def test_a_release_during_composing_belongs_to_the_next_window(story: StoryMaker, now: datetime) -> None:
    article = story()
    end = now + timedelta(minutes=1)
    with transaction.atomic():
        publishing.close_window(end=end)
        first = list(Article.objects.released_between(None, end))
        # Its clock was read before the window's end; only the lock and the horizon put it into the next one.
        thread = Meanwhile(lambda: publishing.publish(article=article, actor=None, now=now))
        thread.start()
        thread.join(timeout=HELD)
        assert thread.is_alive(), "publishing did not wait"
    thread.join(timeout=15)
    assert thread.outcome is None
    assert first == []
    assert compose(end, end + timedelta(days=1)) == [article.pk]


def test_a_slow_door_with_an_old_clock_publishes_into_the_next_window(story: StoryMaker, now: datetime) -> None:
    """The verb gets its `now` long before it runs: a window that closed in between is closed."""
    article = story()
    end = now + timedelta(minutes=1)
    assert compose(None, end) == []
    publishing.publish(article=article, actor=None, now=now)
    assert article.first_published_at is not None
    assert article.first_published_at > end
    assert article.published_at == now
    assert compose(end, end + timedelta(days=1)) == [article.pk]


def test_an_earlier_window_does_not_reopen_a_later_one(story: StoryMaker, now: datetime) -> None:
    late, early = now + timedelta(hours=2), now + timedelta(hours=1)
    compose(None, late)
    compose(None, early)
    article = story(state="published")
    assert article.first_published_at is not None
    assert article.first_published_at > late


def test_publishing_twice_at_once_happens_once(story: StoryMaker, now: datetime) -> None:
    article = story()
    with transaction.atomic():
        publishing.publish(article=article, actor=None, now=now)
        again = Meanwhile(
            lambda: publishing.publish(
                article=Article.objects.get(pk=article.pk), actor=None, now=now + timedelta(hours=1)
            )
        )
        again.start()
        again.join(timeout=HELD)
        assert again.is_alive(), "the second publisher did not wait for the row"
    again.join(timeout=15)
    assert isinstance(again.outcome, publishing.WrongState)
    article.refresh_from_db()
    assert article.first_published_at == now
    assert article.revisions.filter(note="Published").count() == 1


def test_two_saves_at_once_make_two_versions(story: StoryMaker, now: datetime) -> None:
    article = story()
    with transaction.atomic():
        publishing.save_revision(article=article, actor=None, now=now)
        other = Meanwhile(
            lambda: publishing.save_revision(article=Article.objects.get(pk=article.pk), actor=None, now=now)
        )
        other.start()
        other.join(timeout=HELD)
    other.join(timeout=15)
    assert other.outcome is None
    assert sorted(article.revisions.values_list("number", flat=True)) == [1, 2, 3]


def test_a_save_that_had_to_wait_renders_the_words_that_won(story: StoryMaker, now: datetime) -> None:
    article = story(state="published")
    with transaction.atomic():
        Article.objects.filter(pk=article.pk).update(body_markdown="Newer words.")
        other = Meanwhile(
            lambda: publishing.save_revision(article=Article.objects.get(pk=article.pk), actor=None, now=now)
        )
        other.start()
        other.join(timeout=HELD)
        assert other.is_alive(), "the save did not wait for the row"
    other.join(timeout=15)
    assert other.outcome is None
    article.refresh_from_db()
    assert article.body_html == "<p>Newer words.</p>"
