"""A host with a wrong clock does no scheduled work, and writes no time ahead of the database's clock."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import time_machine
from celery import Task
from django.test import Client
from django.utils import timezone

from articles import publishing
from articles import tasks as story_tasks
from articles.models import Article, ReleaseHorizon, Section
from core import database_clock
from digests import approval, composing, heartbeat, stalls, stats, tasks
from digests.models import Issue
from subscribers import tasks as reader_tasks
from subscribers.models import Cadence, CadenceOffer, Letter, Newsletter, Subscriber
from tests.cast import Publish
from tests.table import rows

pytestmark = pytest.mark.django_db

YEAR = timedelta(days=365)
HOUR = timedelta(hours=1)
WRONG = [YEAR, -YEAR, timedelta(seconds=63), timedelta(seconds=-63)]
TICKS = [tasks.tick, story_tasks.tick, reader_tasks.tick]


@pytest.fixture
def clock() -> datetime:
    """The time of the database."""
    return database_clock.now()


@pytest.fixture
def line(newsletter: Newsletter, clock: datetime) -> Newsletter:
    """A newsletter with a daily digest that is due since a minute, offered since a week."""
    newsletter.offers.exclude(cadence=Cadence.DAILY).delete()
    Newsletter.objects.update(time_zone="UTC", auto_approve=True)
    hour = (clock - timedelta(minutes=1)).time().replace(second=0, microsecond=0)
    CadenceOffer.objects.update(send_at=hour, active_since=clock - timedelta(days=7))
    return Newsletter.objects.get()


@pytest.fixture
def draft(section: Section) -> Article:
    return Article.objects.create(headline="Written today", slug="today", section=section, body_markdown="Text.")


def host_is_off(by: timedelta) -> time_machine.travel:
    """The clock of this process, and not that of the database."""
    return time_machine.travel(timezone.now() + by, tick=True)


@rows("by", WRONG)
@rows("tick", TICKS)
def test_it_does_not_tick_and_says_why(tick: Task[[], None], by: timedelta, caplog: pytest.LogCaptureFixture) -> None:
    with host_is_off(by), caplog.at_level(logging.ERROR):
        tick()
    direction = "ahead of" if by > timedelta() else "behind"
    assert f"seconds {direction} the database's. This host does no work of the clock" in caplog.text


@rows("by", WRONG)
def test_it_composes_publishes_and_forgets_nothing(
    line: Newsletter, publish: Publish, draft: Article, clock: datetime, by: timedelta
) -> None:
    publish("One", clock - HOUR)
    hour = clock + YEAR / 2 if by > timedelta() else clock - HOUR
    Article.objects.filter(pk=draft.pk).update(state=Article.State.SCHEDULED, publish_at=hour)
    reader = Subscriber.objects.create(address="a@example.com", address_key="a@example.com", address_hash="0" * 64)
    letter = Letter.objects.create(kind=Letter.Kind.WELCOME, subscriber=reader, due_at=clock, created_at=clock)
    with host_is_off(by):
        for tick in TICKS:
            tick()
    assert not Issue.objects.exists()
    draft.refresh_from_db()
    letter.refresh_from_db()
    assert (draft.state, letter.state) == (Article.State.SCHEDULED, Letter.State.PENDING)
    assert Subscriber.objects.exists()
    assert heartbeat.age(work="clock", now=clock) is None


def test_an_editor_reads_it_on_the_issues_page(digest: Issue) -> None:
    Issue.objects.update(state=Issue.State.SCHEDULED, scheduled_for=timezone.now() - HOUR)
    digest.refresh_from_db()
    with host_is_off(YEAR):
        tasks.tick()
    diagnoses = stalls.diagnose(issue=digest, progress=stats.watched(digest), now=timezone.now())
    assert "seconds ahead of the database's" in diagnoses[0].why


def test_readiness_says_it(client: Client) -> None:
    assert client.get("/readyz").json()["clock"] == "ok"
    with host_is_off(YEAR):
        response = client.get("/readyz")
    assert response.status_code == 503
    assert "31,536,000 seconds ahead" in response.json()["clock"].replace("31,535,999", "31,536,000")


@pytest.mark.parametrize("seconds", [-55, 55])
def test_a_host_that_is_a_little_off_works_by_the_databases_clock(
    line: Newsletter, publish: Publish, clock: datetime, seconds: int
) -> None:
    publish("One", clock - HOUR)
    with host_is_off(timedelta(seconds=seconds)):
        tasks.tick()
    issue = Issue.objects.get()
    assert issue.state == Issue.State.SCHEDULED
    for moment in (issue.created_at, issue.approved_at, issue.scheduled_for):
        assert moment is not None
        assert clock <= moment < clock + timedelta(seconds=30)
    age = heartbeat.age(work="clock", now=database_clock.now())
    assert age is not None
    assert age < 30


COMPOSE: dict[str, Callable[[Newsletter, datetime], object]] = {
    "the clock": lambda line, now: composing.compose_due(now=now),
    "by hand": lambda line, now: composing.compose_now(newsletter=line, cadence=Cadence.DAILY, now=now),
    "as of a time": lambda line, now: composing.compose_as_of(
        newsletter=line, cadence=Cadence.DAILY, at=now - timedelta(days=1), now=now
    ),
}


@rows("how", COMPOSE)
def test_composed_by_a_clock_that_is_ahead_no_window_is(
    line: Newsletter, publish: Publish, draft: Article, clock: datetime, how: str
) -> None:
    """What is published afterwards is in the next digest, as if nothing had happened."""
    publish("One", clock - HOUR)
    COMPOSE[how](line, clock + YEAR)
    after = database_clock.now()
    assert all(
        moment <= after for row in Issue.objects.all() for moment in (row.window_start, row.window_end) if moment
    )
    assert ReleaseHorizon.objects.get().closed_until <= after
    publishing.publish(article=draft, actor=None, now=timezone.now())
    following = composing.compose_now(newsletter=line, cadence=Cadence.DAILY, now=database_clock.now())
    assert [item.article for item in following.items.all()] == [draft]


@pytest.mark.parametrize("by", [YEAR, timedelta(seconds=30)], ids=str)
def test_a_story_published_by_a_clock_that_is_ahead_is_of_now(draft: Article, by: timedelta) -> None:
    publishing.publish(article=draft, actor=None, now=timezone.now() + by)
    after = database_clock.now()
    assert draft.first_published_at is not None
    assert draft.published_at is not None
    assert max(draft.first_published_at, draft.published_at) <= after


def test_a_story_that_is_scheduled_for_next_year_waits(draft: Article, clock: datetime) -> None:
    publishing.schedule(article=draft, publish_at=clock + YEAR, actor=None, now=clock)
    with pytest.raises(publishing.WrongState):
        publishing.publish_due(article=draft, now=clock + 2 * YEAR)


def test_an_issue_approved_by_a_clock_that_is_ahead_leaves_now(digest: Issue) -> None:
    approval.approve(issue=digest, actor=None, now=timezone.now() + YEAR)
    assert digest.scheduled_for is not None
    assert digest.scheduled_for <= database_clock.now()


def test_a_cadence_offered_by_a_clock_that_is_ahead_is_offered_now(newsletter: Newsletter) -> None:
    newsletter.offers.all().delete()
    with host_is_off(YEAR):
        offer = CadenceOffer.objects.create(newsletter=newsletter, cadence=Cadence.INSTANT)
    offer.refresh_from_db()
    assert offer.active_since <= database_clock.now()


def test_a_heartbeat_from_the_future_proves_nothing(clock: datetime) -> None:
    heartbeat.beat(work="clock", now=clock + YEAR)
    assert heartbeat.age(work="clock", now=clock) is None


def test_a_horizon_that_is_ahead_is_named_in_the_log(
    line: Newsletter, clock: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    ReleaseHorizon.objects.create(pk=publishing.HORIZON, closed_until=clock + YEAR)
    with caplog.at_level(logging.ERROR):
        tasks.tick()
    assert "See manage.py repair_clock" in caplog.text
