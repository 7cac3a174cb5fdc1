"""The front page: an editor arranges it, the clock fills it, and what is not public leaves by itself."""

from datetime import datetime, timedelta

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.test import Client

from articles import curating, publishing, typography
from articles.curating import Arrangement
from articles.models import Article, FrontStory, Section
from articles.tests.conftest import StoryMaker
from publication.models import PageChange
from staff.models import AuditEvent, Limit, LimitKind


@pytest.fixture
def stories(story: StoryMaker, now: datetime) -> list[Article]:
    """Ten public stories; the first is the newest."""
    return [
        story(state="published", headline=f"Story {number}", published_at=now - timedelta(hours=number))
        for number in range(10)
    ]


def front(client: Client) -> BeautifulSoup:
    response = client.get("/")
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html5lib")


def shown(client: Client, part: str) -> list[str]:
    return [each.get_text(strip=True) for each in front(client).select(part)]


def arrange(*stories: Article, actor: User | None = None, now: datetime, **wanted: object) -> None:
    values = {"version": curating.current().version} | wanted
    curating.arrange(wanted=Arrangement(stories=[each.pk for each in stories], **values), actor=actor, now=now)  # type: ignore[arg-type]  # as named


LEAD, SECOND, LATEST = ".front__lead .card__title", ".front__second .card__title", ".latest a"


def test_without_an_editor_the_newest_lead(client: Client, stories: list[Article]) -> None:
    assert shown(client, LEAD) == ["Story 0"]
    assert shown(client, SECOND) == ["Story 1", "Story 2"]
    assert shown(client, LATEST) == [f"Story {number}" for number in range(3, 10)]


def test_an_editors_stories_lead_and_the_clock_fills_what_is_left(
    client: Client, stories: list[Article], paul: User, now: datetime
) -> None:
    arrange(stories[7], stories[4], actor=paul, now=now)
    assert "front" in PageChange.objects.values_list("tag", flat=True)
    assert shown(client, LEAD) == ["Story 7"]
    assert shown(client, SECOND) == ["Story 4", "Story 0"]
    assert "Story 7" not in shown(client, LATEST)
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.actor_name) == ("front_page_arranged", "paul")
    assert (event.detail["lead"], event.detail["second"]) == ("Story 7", ["Story 4"])


def test_a_withdrawn_story_leaves_and_comes_back_to_its_place(
    client: Client, stories: list[Article], now: datetime
) -> None:
    arrange(stories[7], stories[4], now=now)
    publishing.withdraw(article=stories[7], reason="It was wrong.", actor=None, now=now)
    assert shown(client, LEAD) == ["Story 4"]
    assert "Story 7" not in front(client).get_text()
    publishing.publish(article=stories[7], actor=None, now=now)
    assert shown(client, LEAD) == ["Story 7"]


def test_rows_have_the_newest_stories_of_their_sections_in_the_editors_order(
    client: Client, story: StoryMaker, stories: list[Article], now: datetime
) -> None:
    arts = Section.objects.create(name="Arts", slug="arts", position=9)
    for number in range(6):
        story(state="published", headline=f"Art {number}", section=arts, published_at=now - timedelta(days=2 + number))
    assert shown(client, ".row__title") == ["News", "Arts"]
    arrange(sections=[arts.pk], now=now)
    assert shown(client, ".row__title") == ["Arts"]
    assert shown(client, ".row .card__title") == [f"Art {number}" for number in range(4)]


def test_a_newsletter_is_pinned_while_it_is_offered(client: Client, stories: list[Article], now: datetime) -> None:
    arrange(newsletter="gone", now=now)
    assert shown(client, ".pinned") == []


def test_whoever_was_second_is_told(stories: list[Article], now: datetime) -> None:
    arrange(stories[1], now=now)
    with pytest.raises(publishing.NotReady, match="Somebody else"):
        arrange(stories[2], now=now, version=0)
    assert list(FrontStory.objects.values_list("article", flat=True)) == [stories[1].pk]


def test_only_who_publishes_everywhere_arranges(stories: list[Article], edda: User, paul: User, now: datetime) -> None:
    with pytest.raises(publishing.NotAllowed):
        arrange(stories[1], actor=edda, now=now)
    Limit.objects.create(user=paul, kind=LimitKind.SECTION, object_id=stories[0].section_id)
    with pytest.raises(publishing.NotAllowed):
        arrange(stories[1], actor=User.objects.get(pk=paul.pk), now=now)
    assert not FrontStory.objects.exists()


def test_what_readers_do_not_see_is_not_put_there(story: StoryMaker, stories: list[Article], now: datetime) -> None:
    with pytest.raises(publishing.NotReady, match="not public"):
        arrange(story(), now=now)
    with pytest.raises(publishing.NotReady, match="two places"):
        arrange(stories[0], stories[0], now=now)
    with pytest.raises(publishing.NotReady, match="room for"):
        arrange(*stories[:6], now=now)


def test_a_headline_is_typeset_and_no_line_has_one_word(client: Client, story: StoryMaker) -> None:
    story(state="published", headline='Banks say "no" to all of it')
    assert shown(client, LEAD) == [typography.headline('Banks say "no" to all of it', "en")]
