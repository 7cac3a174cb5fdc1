"""The desk arranges the front page: every step works without scripts, and only "Save" is seen by readers."""

from typing import Any

import pytest
from django.test import Client

from articles.models import Article, FrontStory, Section
from publication import groups
from staff.models import Limit, LimitKind
from tests.cast import Publish, account, signed_in

PAGE = "/admin/front-page/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def stories(publish: Publish) -> list[Article]:
    return [publish(f"Story {number}") for number in range(7)]


@pytest.fixture
def paul(db: None) -> Client:
    return signed_in(account("paul", groups.PUBLISHER))


def post(client: Client, *stories: Article, **data: Any) -> Any:
    return client.post(PAGE, {"story": [story.pk for story in stories], "version": 0} | data)


def test_a_step_shows_the_form_again_and_changes_nothing(paul: Client, stories: list[Article]) -> None:
    one, two, three, *_rest = stories
    for move, order in (
        (f"story up {two.pk}", [two, one]),
        (f"story down {one.pk}", [two, one]),
        (f"story up {one.pk}", [one, two]),
        (f"story remove {one.pk}", [two]),
        (f"story lead {three.pk}", [three, one, two]),
        (f"story add {three.pk}", [one, two, three]),
        ("automatic", []),
        ("story sideways x", [one, two]),
    ):
        response = post(paul, one, two, move=move)
        assert list(response.context["wanted"].stories) == [story.pk for story in order], move
    assert not FrontStory.objects.exists()


def test_save_is_seen_by_readers(paul: Client, stories: list[Article], section: Section) -> None:
    response = post(paul, stories[3], stories[1], section=[section.pk], newsletter="tech-news", save="1")
    assert response["Location"] == PAGE
    front = Client().get("/").context["front"]
    assert front.lead.headline == "Story 3"
    assert front.second[0].headline == "Story 1"
    page = paul.get(PAGE)
    assert page.context["wanted"].stories == [stories[3].pk, stories[1].pk]
    assert page.context["wanted"].version == 1
    refused = post(paul, stories[0], save="1")
    assert "Somebody else arranged the front page" in refused.content.decode()


def test_there_is_no_sixth_place(paul: Client, stories: list[Article]) -> None:
    response = post(paul, *stories[:5], move=f"story add {stories[6].pk}")
    assert len(response.context["wanted"].stories) == 5
    assert "There is room for 5 stories" in response.content.decode()


def test_who_may(stories: list[Article], section: Section) -> None:
    for group, status in ((groups.AUTHOR, 403), (groups.PUBLISHER, 200)):
        assert signed_in(account(f"one-{group}", group)).get(PAGE).status_code == status
    limited = account("limited", groups.PUBLISHER)
    Limit.objects.create(user=limited, kind=LimitKind.SECTION, object_id=section.pk)
    assert signed_in(limited).get(PAGE).status_code == 403
