"""manage.py repair_clock, after a tick of a host whose clock was a year ahead, as it was possible once."""

from datetime import datetime, time, timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.utils import timezone

from articles import publishing
from articles.models import Article, ReleaseHorizon, Section
from core import database_clock
from digests import composing, freezing
from digests.models import Issue
from subscribers.models import Cadence, CadenceOffer, Letter, Newsletter, Subscriber
from tests.cast import Publish

pytestmark = pytest.mark.django_db

YEAR = timedelta(days=365)
DAY = timedelta(days=1)


@pytest.fixture
def clock() -> datetime:
    return database_clock.now()


@pytest.fixture
def ahead(newsletter: Newsletter, publish: Publish, clock: datetime) -> Issue:
    """The digest that the host composed for a day of next year and approved; then two more stories came."""
    newsletter.offers.exclude(cadence=Cadence.DAILY).delete()
    CadenceOffer.objects.update(send_at=time(7), active_since=clock - 7 * DAY)
    publish("Before", clock - DAY)
    issue = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=clock)
    freezing.freeze(issue=issue, now=clock)
    future = clock + YEAR
    Issue.objects.update(
        period_key=future.date().isoformat(), window_end=future, state=Issue.State.SCHEDULED,
        created_at=future, approved_at=future, scheduled_for=future,
    )  # fmt: skip
    ReleaseHorizon.objects.update(closed_until=future)
    for number, headline in enumerate(["After", "Later"], start=1):
        publish(headline, future + timedelta(microseconds=number))
    issue.refresh_from_db()
    return issue


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("repair_clock", *arguments, stdout=out)
    return out.getvalue()


def headlines(issue: Issue) -> list[str]:
    return [str(item) for item in issue.items.order_by("position")]


def test_it_says_what_it_would_do_and_changes_nothing(ahead: Issue, clock: datetime) -> None:
    before = Issue.objects.values().get()
    out = run()
    assert f"The release horizon is on {clock + YEAR:%d %B %Y}" in out
    assert "2 stories were released at a time to come. They are in the next digests." in out
    assert f"Issue {ahead.pk}" in out
    assert out.endswith("Run it again with --apply to do all of this.\n")
    assert Issue.objects.values().get() == before
    assert ReleaseHorizon.objects.get().closed_until == clock + YEAR


def test_afterwards_the_stories_are_in_the_next_digest_once_and_in_their_order(
    ahead: Issue, newsletter: Newsletter, clock: datetime
) -> None:
    run("--apply")
    following = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=database_clock.now())
    assert headlines(following) == ["Later", "After"]
    again = composing.compose_now(newsletter=newsletter, cadence=Cadence.DAILY, now=database_clock.now())
    assert again.state_reason == composing.EMPTY
    after = database_clock.now()
    assert ReleaseHorizon.objects.get().closed_until <= after
    assert not Article.objects.filter(published_at__gt=after).exists()
    assert not Article.objects.filter(first_published_at__gt=after).exists()


def test_a_story_published_afterwards_is_of_now(ahead: Issue, section: Section) -> None:
    run("--apply")
    story = Article.objects.create(headline="New", slug="new", section=section, body_markdown="Text.")
    publishing.publish(article=story, actor=None, now=timezone.now())
    assert story.first_published_at is not None
    assert story.first_published_at <= database_clock.now()


def test_the_digest_of_a_future_day_is_a_draft_and_reserves_no_period(ahead: Issue, clock: datetime) -> None:
    run("--apply")
    ahead.refresh_from_db()
    assert (ahead.state, ahead.approved_at, ahead.scheduled_for) == (Issue.State.DRAFT, None, None)
    assert "whose clock was ahead" in ahead.reason_sentence
    assert ahead.window_end == clock - DAY
    assert headlines(ahead) == ["Before"]
    assert not Issue.objects.filter(period_key=(clock + YEAR).date().isoformat()).exists()


def test_one_that_has_left_keeps_its_state(ahead: Issue, clock: datetime) -> None:
    future = clock + YEAR
    Issue.objects.update(
        state=Issue.State.SENT, audience_count=0, planned_at=future, started_at=future, finished_at=future
    )
    run("--apply")
    ahead.refresh_from_db()
    assert (ahead.state, ahead.window_end) == (Issue.State.SENT, clock - DAY)
    assert ahead.started_at is not None
    assert ahead.started_at <= database_clock.now()


def test_an_issue_that_a_person_planned_for_later_is_left_alone(digest: Issue, clock: datetime) -> None:
    Issue.objects.update(state=Issue.State.SCHEDULED, approved_at=clock, scheduled_for=clock + YEAR)
    assert "Nothing is ahead of it." in run("--apply")
    assert Issue.objects.get().scheduled_for == clock + YEAR


def test_readers_letters_leave_and_offers_begin(ahead: Issue, clock: datetime) -> None:
    reader = Subscriber.objects.create(address="a@example.com", address_key="a@example.com", address_hash="0" * 64)
    letter = Letter.objects.create(
        kind=Letter.Kind.WELCOME, subscriber=reader, due_at=clock + YEAR, created_at=clock + YEAR
    )
    CadenceOffer.objects.update(active_since=clock + YEAR)
    run("--apply")
    letter.refresh_from_db()
    after = database_clock.now()
    assert letter.due_at <= after
    assert CadenceOffer.objects.get().active_since <= after


def test_a_second_run_finds_nothing(ahead: Issue) -> None:
    run("--apply")
    assert "Nothing is ahead of it." in run("--apply")


def test_a_host_that_is_wrong_itself_is_refused(ahead: Issue, clock: datetime) -> None:
    with (
        time_machine.travel(timezone.now() + YEAR, tick=True),
        pytest.raises(CommandError, match="Nothing was changed"),
    ):
        run("--apply")
    assert ReleaseHorizon.objects.get().closed_until == clock + YEAR
