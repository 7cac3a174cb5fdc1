"""A page is sent again only when it says something new."""

from datetime import datetime, timedelta

from django.test import Client

from articles import publishing
from articles.models import Section
from articles.tests.conftest import StoryMaker
from publication.models import Publication


def again(client: Client, path: str, etag: str) -> int:
    return client.get(path, headers={"if-none-match": etag}).status_code


def test_a_reader_who_has_the_page_gets_304(client: Client, story: StoryMaker) -> None:
    article = story(state="published")
    for path in ("/", article.get_absolute_url(), "/sections/news/", "/robots.txt"):
        first = client.get(path)
        second = client.get(path, headers={"if-none-match": first["ETag"]})
        assert second.status_code == 304, path
        assert second.content == b""
        assert second["ETag"] == first["ETag"]


def test_every_change_that_a_reader_could_see_is_sent(client: Client, story: StoryMaker, now: datetime) -> None:
    article = story(state="published")
    path = article.get_absolute_url()
    etag = client.get(path)["ETag"]
    assert again(client, path, etag) == 304
    publishing.correct(article=article, text="Seven.", actor=None, now=now + timedelta(minutes=1))
    assert again(client, path, etag) == 200
    etag = client.get(path)["ETag"]
    Publication.objects.update(name="Renamed House")
    assert again(client, path, etag) == 200
    etag = client.get(path)["ETag"]
    Section.objects.create(name="Markets", slug="markets")
    assert again(client, path, etag) == 200


def test_a_withdrawn_story_is_never_answered_by_304(client: Client, story: StoryMaker, now: datetime) -> None:
    article = story(state="published")
    first = client.get(article.get_absolute_url())
    publishing.withdraw(article=article, reason="Because.", actor=None, now=now)
    headers = {"if-none-match": first["ETag"], "if-modified-since": first["Last-Modified"]}
    assert client.get(article.get_absolute_url(), headers=headers).status_code == 410


def test_head_is_answered_without_a_body(client: Client, story: StoryMaker) -> None:
    story(state="published")
    response = client.head("/")
    assert response.status_code == 200
    assert response.content == b""
