"""What a newsletter's page says to a reader who thinks of signing up."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.test import Client
from django.utils import timezone

from digests import freezing
from digests.models import Issue
from subscribers import links
from subscribers.models import CadenceOffer, Newsletter
from tests.cast import RITA, confirmed, make_newsletter

WEEK = timedelta(weeks=1)


@pytest.fixture
def now() -> Iterator[datetime]:
    """Noon, when the pages are asked for, at whatever hour this runs: their figures end there."""
    noon = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
    with time_machine.travel(noon, tick=False):
        yield noon


def sent(newsletter: Newsletter, at: datetime, *, cadence: str = "", **changes: object) -> Issue:
    """A letter of that day, which went to the readers of the cadence; an empty one: to all."""
    issue = Issue.objects.create(newsletter=newsletter, subject=f"Of {at:%d %B}", introduction="Hello.")
    freezing.freeze(issue=issue, now=at)
    values = {"state": Issue.State.SENT, "audience_count": 1, "planned_at": at, "cadence": cadence}
    Issue.objects.filter(pk=issue.pk).update(**values | changes)
    return issue


def page(client: Client, address: str = "/newsletters/tech-news/") -> BeautifulSoup:
    return BeautifulSoup(client.get(address).content, "html5lib")


def figures(shown: BeautifulSoup) -> list[str]:
    """What is said beside each cadence; an empty sentence where nothing is."""
    return [" ".join(hint.get_text() for hint in row.select(".hint")).strip() for row in shown.select(".coming li")]


def test_it_says_how_many_mails_a_week_each_cadence_brought(
    newsletter: Newsletter, client: Client, now: datetime
) -> None:
    CadenceOffer.objects.update(active_since=now - 60 * WEEK)
    for days in range(1, 13):
        sent(newsletter, now - timedelta(days=days), cadence="daily")
    for weeks in range(4):
        sent(newsletter, now - (weeks + 0.5) * WEEK)
    sent(newsletter, now - 9 * WEEK, cadence="daily")
    issue = sent(newsletter, now - WEEK, cadence="weekly", state=Issue.State.CANCELLED)
    sent(newsletter, now - WEEK, cadence="weekly", corrects=issue)

    words = "Mails a week over the last 8 weeks: "
    assert figures(page(client)) == [f"{words}0.5", f"{words}2", f"{words}0.5"]


def test_a_new_cadence_says_nothing_before_its_first_week_is_over(
    newsletter: Newsletter, client: Client, now: datetime
) -> None:
    CadenceOffer.objects.filter(cadence="daily").update(active_since=now - 3.5 * WEEK)
    CadenceOffer.objects.exclude(cadence="daily").update(active_since=now - 0.5 * WEEK)
    for days in range(6):
        sent(newsletter, now - timedelta(days=days), cadence="daily")

    assert figures(page(client)) == ["", "Mails a week over the last 3 weeks: 2", ""]


def test_the_last_issue_is_its_sample(digest: Issue, client: Client) -> None:
    at = digest.created_at
    freezing.freeze(issue=digest, now=at)
    Issue.objects.filter(pk=digest.pk).update(state=Issue.State.SENT, audience_count=3, planned_at=at)
    shown = page(client)

    sample = shown.select_one(".sample")
    assert sample is not None
    assert [link["href"] for link in sample.select("a")] == ["/newsletters/tech-news/1/"] * 2
    assert [story.get_text() for story in sample.select(".sample__stories li")] == ["Third", "Second", "First"]
    assert "/newsletters/tech-news/1/" in str(page(client, "/newsletters/").select_one("main"))


def test_the_sample_is_on_the_first_page_of_the_archive_only(
    newsletter: Newsletter, client: Client, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digests.views.ISSUES_PER_PAGE", 2)
    for days in range(3):
        sent(newsletter, now - timedelta(days=days))

    assert page(client).select(".sample")
    older = page(client, "/newsletters/tech-news/?page=2")
    assert not older.select(".sample")
    assert [link["href"] for link in older.select(".archive a")] == ["/newsletters/tech-news/1/"]


def test_the_list_costs_the_same_for_any_number_of_newsletters(
    newsletter: Newsletter, client: Client, now: datetime, django_assert_max_num_queries: pytest.FixtureRequest
) -> None:
    for number in range(4):
        sent(make_newsletter(f"More {number}", slug=f"more-{number}"), now)
    with django_assert_max_num_queries(12):  # type: ignore[operator]  # the fixture is a context manager
        assert len(page(client, "/newsletters/").select("article.card")) == 5


def test_a_readers_preferences_say_of_each_cadence_about_how_many_mails_that_is(
    newsletter: Newsletter, client: Client, now: datetime
) -> None:
    CadenceOffer.objects.update(active_since=now - 60 * WEEK)
    CadenceOffer.objects.filter(cadence="weekly").update(active_since=now - timedelta(days=1))
    rita = confirmed(RITA, newsletter)
    for days in range(1, 13):
        sent(newsletter, now - timedelta(days=days), cadence="daily")

    shown = page(client, f"/preferences/{links.preferences_token(subscriber=rita.subscriber)}/")
    assert [" ".join(choice.get_text().split()) for choice in shown.select(".setting__choice:has([name=cadence])")] == [
        "Each story when it is published mails a week: about 0",
        "Daily at 07:00 (Europe/Berlin) mails a week: about 1.5",
        "Every Monday at 07:00 (Europe/Berlin)",
    ]
