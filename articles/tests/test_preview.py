"""An editor reads a draft on the real page, and the draft can do nothing there."""

from typing import Any

from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.test import Client

from articles.models import Article, Author, Image, Tag
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


def live(client: Client, path: str, **fields: Any) -> Any:
    """The page of a form as somebody has it on the screen."""
    form = {"headline": "On the screen", "standfirst": "Why.", "body_markdown": "Fresh *words*."} | fields
    return client.post(f"/admin/articles/article/{path}unsaved/", form)


def test_the_page_beside_the_text_is_of_what_is_on_the_screen_and_saves_nothing(
    edda: User, ada: User, story: StoryMaker, picture: Image
) -> None:
    article, client = story(headline="As saved", body_markdown="As saved."), signed_in(edda)
    first, second = (Author.objects.create(name=name, slug=name.lower()) for name in ("Ann", "Ben"))
    label = Tag.objects.create(name="Bitcoin", slug="bitcoin")
    before = Article.objects.values().get(pk=article.pk)
    form = {
        "lead_image": picture.pk, "tags": [label.pk], "bylines-TOTAL_FORMS": "3", "published_at_0": "2025-05-02",
        "published_at_1": "09:00", "bylines-0-author": first.pk, "bylines-0-position": "1",
        "bylines-1-author": second.pk, "bylines-1-position": "0",
        "bylines-2-author": first.pk, "bylines-2-DELETE": "on",
    }  # fmt: skip
    page = BeautifulSoup(live(client, f"{article.pk}/", **form).content, "html5lib").select_one("main")
    assert page is not None
    words = page.get_text(" ")
    assert "On the screen" in words
    assert "As saved" not in words
    assert "By Ben and Ann 2 May 2025" in " ".join(words.split())
    assert "Bitcoin" in words
    assert page.select_one(f'img[alt="{picture.alt}"]') is not None
    assert Article.objects.values().get(pk=article.pk) == before
    # A story without a row, and a form in which nothing can be read.
    assert "On the screen" in live(signed_in(ada), "").content.decode()
    nonsense = {
        "section": "x",
        "lead_image": "9" * 40,
        "tags": ["-1"],
        "published_at_0": "soon",
        "bylines-TOTAL_FORMS": "²",
    }
    assert live(client, "", **nonsense).status_code == 200
    assert live(client, "", body_markdown="![x](image:999)").content.decode().startswith("There is no picture")
    assert Article.objects.count() == 1


def test_the_page_beside_the_text_is_for_those_who_may_see_the_story(
    client: Client, ada: User, edda: User, story: StoryMaker
) -> None:
    path = f"{story().pk}/"
    assert live(client, path).status_code == 302
    assert live(signed_in(ada), path).status_code == 404
    response = live(signed_in(edda), path)
    assert {"no-store", "private"} <= set(response["Cache-Control"].split(", "))
    frame = signed_in(edda).get("/admin/articles/article/preview-frame/")
    for policy in (response["Content-Security-Policy"], frame["Content-Security-Policy"]):
        assert "script-src 'none'" in policy
        assert "allow-scripts" not in policy
    assert frame["X-Frame-Options"] == "SAMEORIGIN"
    assert signed_in(edda).get(f"/admin/articles/article/{path}unsaved/").status_code == 405
