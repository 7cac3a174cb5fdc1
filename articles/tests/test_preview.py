"""An editor reads a draft on the real page, and the draft can do nothing there."""

from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.test import Client

from articles.models import Article
from articles.tests.conftest import StoryMaker
from tests.cast import signed_in


def path(article: Article) -> str:
    return f"/admin/articles/article/{article.pk}/preview/"


def test_the_preview_is_the_real_page_of_what_is_saved(edda: User, story: StoryMaker) -> None:
    article = story(headline="Not out yet")
    Article.objects.filter(pk=article.pk).update(body_markdown="Fresh *words*.")
    response = signed_in(edda).get(path(article))
    page = BeautifulSoup(response.content, "html5lib")
    assert page.select_one("article.story h1").get_text() == "Not out yet"  # type: ignore[union-attr]  # it is there
    assert page.select_one(".prose em").get_text() == "words"  # type: ignore[union-attr]  # as above


def test_the_preview_is_kept_nowhere_and_cannot_act(edda: User, story: StoryMaker) -> None:
    response = signed_in(edda).get(path(story()))
    assert {"no-store", "private"} <= set(response["Cache-Control"].split(", "))
    assert response["X-Robots-Tag"] == "noindex"
    assert "ETag" not in response
    policy = response["Content-Security-Policy"]
    assert "script-src 'none'" in policy
    assert "sandbox allow-popups" in policy
    assert "allow-same-origin" not in policy
    assert "allow-scripts" not in policy
    assert "frame-ancestors 'self'" in policy


def test_reading_a_preview_saves_nothing(edda: User, story: StoryMaker) -> None:
    article = story()
    Article.objects.filter(pk=article.pk).update(body_markdown="Fresh words.")
    before = Article.objects.values().get(pk=article.pk)
    signed_in(edda).get(path(article))
    assert Article.objects.values().get(pk=article.pk) == before


def test_a_preview_is_for_those_who_may_see_the_story(client: Client, ada: User, edda: User, story: StoryMaker) -> None:
    article = story()
    assert client.get(path(article)).status_code == 302
    assert signed_in(ada).get(path(article)).status_code == 404
    reader = User.objects.create_user("rita", password="secret")
    assert signed_in(reader).get(path(article)).status_code == 302
    clerk = User.objects.create_user("cleo", password="secret", is_staff=True)
    assert signed_in(clerk).get(path(article)).status_code == 404
    assert signed_in(edda).get(path(article)).status_code == 200


def test_a_text_that_cannot_be_shown_says_why(edda: User, story: StoryMaker) -> None:
    article = story()
    Article.objects.filter(pk=article.pk).update(body_markdown="![x](image:999)")
    response = signed_in(edda).get(path(article))
    assert response.status_code == 422
    assert "There is no picture number 999" in response.content.decode()
