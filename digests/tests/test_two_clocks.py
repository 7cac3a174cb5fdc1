"""Two beats, late beats, two people: over real connections, one issue per period and no story lost."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from articles import publishing
from articles.models import Article, Section
from digests import composing
from digests.models import Issue
from subscribers.models import Cadence, Newsletter
from tests import threads
from tests.cast import Publish

pytestmark = pytest.mark.django_db(transaction=True)

# Of this database alone: other tests run beside this one.
WAITING = """
SELECT EXISTS (
    SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
)
"""


def somebody_waits() -> bool:
    """Whether a session waits for an advisory lock."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        [(waits,)] = cursor.fetchall()
    return bool(waits)


def test_two_beats_make_one_issue_of_each_period(newsletter: Newsletter, publish: Publish, now: datetime) -> None:
    for hour in (1, 2):
        publish(f"At {hour}", now.replace(hour=hour))
    assert threads.faults(*[lambda: composing.compose_due(now=now)] * 4) == []
    assert sorted(Issue.objects.values_list("kind", "cadence", "period_key")) == [
        ("digest", "daily", "2025-05-06"),
        ("digest", "weekly", "2025-W19"),
    ]
    daily = Issue.objects.get(cadence=Cadence.DAILY)
    assert daily.items.count() == 2


def test_late_and_repeated_ticks_change_nothing(newsletter: Newsletter, publish: Publish, now: datetime) -> None:
    publish("One", now.replace(hour=1))
    for minutes in (0, 0, 1, 7, 300, 1):
        composing.compose_due(now=now + timedelta(minutes=minutes))
    assert Issue.objects.filter(cadence=Cadence.DAILY).count() == 1


def test_two_weeks_of_ticks_put_every_story_into_exactly_one_digest(newsletter: Newsletter, publish: Publish) -> None:
    """Across the change to winter time, with ticks that come late, twice or not at all for a day."""
    newsletter.offers.filter(cadence=Cadence.INSTANT).delete()
    first = datetime(2025, 10, 18, tzinfo=UTC)
    for hours in range(0, 24 * 10, 7):
        publish(f"Story {hours}", first + timedelta(hours=hours, minutes=7))
    now = first
    while now < first + timedelta(days=17):
        composing.compose_due(now=now)
        composing.compose_due(now=now)
        outage = timedelta(days=1) if now.day == 22 else timedelta()
        now += outage + timedelta(minutes=317 + now.day)
    for cadence in (Cadence.DAILY, Cadence.WEEKLY):
        line = Issue.objects.filter(kind=Issue.Kind.DIGEST, cadence=cadence)
        articles = list(line.exclude(items__article=None).values_list("items__article", flat=True))
        assert sorted(articles) == sorted(Article.objects.values_list("pk", flat=True)), cadence
        assert len(set(line.values_list("period_key", flat=True))) == line.count()


def test_a_story_that_is_being_published_while_a_digest_is_composed_is_not_lost(
    newsletter: Newsletter, section: Section
) -> None:
    """The publisher stamps its hour, then takes its time to commit; the composer has to wait for it."""
    newsletter.offers.update(active_since=timezone.now() - timedelta(days=1))
    story = Article.objects.create(headline="Slow", slug="slow", section=section, body_markdown="Text.")
    stamped, composed = threading.Event(), threading.Event()

    def publish() -> None:
        with transaction.atomic():
            publishing.publish(article=story, actor=None, now=timezone.now())
            stamped.set()
            while not somebody_waits() and not composed.is_set():
                time.sleep(0.01)

    def compose() -> None:
        assert stamped.wait(timeout=10)
        composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=timezone.now())
        composed.set()

    assert threads.faults(publish, compose) == []
    assert list(Issue.objects.values_list("items__article__headline", flat=True)) == ["Slow"]


def test_a_story_published_with_an_old_clock_falls_into_the_next_digest(
    newsletter: Newsletter, section: Section
) -> None:
    """A publisher whose `now` was taken before the window was closed is stamped after it."""
    newsletter.offers.update(active_since=timezone.now() - timedelta(days=1))
    before = timezone.now()
    composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=timezone.now())
    story = Article.objects.create(headline="Late", slug="late", section=section, body_markdown="Text.")
    publishing.publish(article=story, actor=None, now=before)
    following = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=timezone.now())
    assert [item.article.headline for item in following.items.all()] == ["Late"]
