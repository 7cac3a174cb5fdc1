"""An address leads to its story for ever: living, moved, withdrawn, or gone for good reason."""

from datetime import datetime

import pytest
from django.test import Client

from articles import publishing
from articles.models import Article, SlugRedirect
from articles.tests.conftest import StoryMaker


def move(article: Article, slug: str, now: datetime) -> None:
    article.slug = slug
    article.save()
    publishing.save_revision(article=article, actor=None, now=now)


def test_an_old_address_leads_to_the_new_one(client: Client, story: StoryMaker, now: datetime) -> None:
    article = story(state="published", slug="first")
    move(article, "second", now)
    response = client.get("/articles/first/")
    assert (response.status_code, response["Location"]) == (301, "/articles/second/")
    # A browser that keeps a 301 for ever would loop once the story moves back.
    assert "max-age=0" in response["Cache-Control"]


def test_a_chain_of_moves_is_one_step_long(client: Client, story: StoryMaker, now: datetime) -> None:
    article = story(state="published", slug="one")
    for slug in ("two", "three", "four"):
        move(article, slug, now)
    for slug in ("one", "two", "three"):
        assert client.get(f"/articles/{slug}/")["Location"] == "/articles/four/"


def test_moving_back_makes_no_circle(client: Client, story: StoryMaker, now: datetime) -> None:
    article = story(state="published", slug="one")
    move(article, "two", now)
    move(article, "one", now)
    assert client.get("/articles/one/").status_code == 200
    assert client.get("/articles/two/")["Location"] == "/articles/one/"
    assert list(SlugRedirect.objects.values_list("slug", flat=True)) == ["two"]


def test_a_story_cannot_take_anothers_old_address(story: StoryMaker, now: datetime) -> None:
    article = story(state="published", slug="one")
    move(article, "two", now)
    with pytest.raises(publishing.SlugTaken, match="once belonged to another story"):
        story(slug="one")


def test_an_old_address_never_hides_a_living_story(client: Client, story: StoryMaker) -> None:
    article = story(state="published", slug="living", headline="I live here")
    SlugRedirect.objects.create(slug="living", article=story(state="published", slug="other"))
    assert b"I live here" in client.get(f"/articles/{article.slug}/").content


def test_a_draft_that_nobody_saw_leaves_no_old_address(story: StoryMaker, now: datetime) -> None:
    article = story(slug="one")
    move(article, "two", now)
    assert not SlugRedirect.objects.exists()


def test_a_withdrawn_story_answers_410_with_its_reason(client: Client, story: StoryMaker, now: datetime) -> None:
    article = story(state="withdrawn", slug="gone", body_markdown="The very secret words.")
    response = client.get("/articles/gone/")
    assert response.status_code == 410
    assert "The source took it back." in response.content.decode()
    assert "very secret" not in response.content.decode()
    publishing.publish(article=article, actor=None, now=now)
    assert client.get("/articles/gone/").status_code == 200


def test_the_old_address_of_a_withdrawn_story_leads_to_the_reason(
    client: Client, story: StoryMaker, now: datetime
) -> None:
    article = story(state="published", slug="one")
    move(article, "two", now)
    publishing.withdraw(article=article, reason="Because.", actor=None, now=now)
    assert client.get("/articles/one/", follow=True).status_code == 410


@pytest.mark.parametrize("state", ["draft", "in_review"])
def test_what_is_not_public_does_not_exist(client: Client, story: StoryMaker, state: str) -> None:
    story(state=state, slug="hidden")
    assert client.get("/articles/hidden/").status_code == 404
