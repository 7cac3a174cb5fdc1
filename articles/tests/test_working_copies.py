"""What is typed and not saved is kept for its writer, changes no story, and goes when the form is saved."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from articles import presence, tasks, working_copies
from articles.models import Article, WorkingCopy
from articles.tests.conftest import StoryMaker
from articles.tests.test_admin import filled_in
from tests.cast import signed_in

STORIES = "/admin/articles/article/"
ONE, TWO = "1" * 32, "2" * 32
TYPED = {"fields": {"headline": ["Half a th"], "tags": []}, "labels": {"section=1": "News"}}


def keep(client: Client, path: str, *, token: str = ONE, content: Any = TYPED) -> Any:
    return client.post(f"{STORIES}{path}copies/?token={token}", json.dumps(content), content_type="application/json")


def listed(client: Client, path: str) -> Any:
    return client.get(f"{STORIES}{path}copies/").json()


def test_a_copy_is_kept_listed_and_discarded_and_the_story_stays_as_it_is(edda: User, story: StoryMaker) -> None:
    article, client = story(state="published"), signed_in(edda)
    before = Article.objects.values().get(pk=article.pk)
    path = f"{article.pk}/"
    assert keep(client, path).status_code == 200
    later = TYPED | {"fields": {"headline": ["Half a thought"]}}
    assert keep(client, path, content=later).status_code == 200
    assert keep(client, path, token=TWO).status_code == 200
    assert keep(client, "", token="3" * 32).status_code == 200
    copies = listed(client, path)["copies"]
    assert [(copy["token"], copy["fields"]) for copy in copies] == [(TWO, TYPED["fields"]), (ONE, later["fields"])]
    assert [copy["token"] for copy in listed(client, "")["copies"]] == ["3" * 32]
    assert Article.objects.values().get(pk=article.pk) == before
    assert article.revisions.count() == 2
    client.delete(f"{STORIES}{path}copies/?token={ONE}")
    assert [copy["token"] for copy in listed(client, path)["copies"]] == [TWO]


def test_a_copy_is_its_writers_alone_and_only_who_may_write_keeps_one(
    ada: User, edda: User, paul: User, client: Client, story: StoryMaker
) -> None:
    path = f"{story().pk}/"
    assert keep(signed_in(edda), path).status_code == 200
    assert listed(signed_in(paul), path)["copies"] == []
    signed_in(paul).delete(f"{STORIES}{path}copies/?token={ONE}")
    assert len(listed(signed_in(edda), path)["copies"]) == 1
    assert keep(signed_in(ada), path).status_code == 404
    assert keep(client, path).status_code == 302
    own = story(state="in_review")
    own.revisions.update(created_by=ada)
    assert keep(signed_in(ada), f"{own.pk}/").status_code == 422
    assert WorkingCopy.objects.count() == 1


def test_saving_the_form_discards_its_copy_and_tells_the_browser(edda: User, story: StoryMaker) -> None:
    article, client = story(), signed_in(edda)
    path = f"{STORIES}{article.pk}/change/"
    values = filled_in(client, path)
    keep(client, f"{article.pk}/", token=values["copy"])
    refused = client.post(path, values | {"headline": ""})
    assert refused.status_code == 200
    assert WorkingCopy.objects.count() == 1
    assert client.post(path, values | {"headline": "Whole"}).status_code == 302
    assert listed(client, f"{article.pk}/") == {"copies": [], "saved": [values["copy"]]}


@pytest.mark.parametrize(
    ("token", "content", "status"),
    [
        ("short", TYPED, 422),
        (ONE, ["no form"], 422),
        (ONE, {"fields": {"headline": "no list"}, "labels": {}}, 422),
        (ONE, {"fields": {"body_markdown": ["x" * 3_000_001]}, "labels": {}}, 422),
        (ONE, {"fields": {"headline": ["a\x00b"]}, "labels": {}}, 200),
    ],
)
def test_nothing_but_a_form_of_some_size_is_kept(
    edda: User, story: StoryMaker, token: str, content: Any, status: int
) -> None:
    article = story()
    assert keep(signed_in(edda), f"{article.pk}/", token=token, content=content).status_code == status
    assert WorkingCopy.objects.count() == (status == 200)


def test_what_nobody_came_back_for_is_forgotten(edda: User, story: StoryMaker) -> None:
    now = timezone.now()
    for token, age in ((ONE, timedelta(days=61)), (TWO, timedelta(days=59))):
        working_copies.keep(user=edda, article=story(), token=token, content=TYPED, now=now - age)
    tasks.tick()
    assert [copy.token for copy in WorkingCopy.objects.all()] == [TWO]


def test_two_people_in_a_story_see_each_other_and_what_was_saved(
    edda: User, paul: User, ada: User, story: StoryMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    article = story()
    path = f"{STORIES}{article.pk}/presence/"
    assert signed_in(edda).post(f"{path}?token={ONE}").json()["others"] == []
    reply = signed_in(paul).post(f"{path}?token={TWO}").json()
    assert reply["others"] == [{"name": "edda", "self": False}]
    assert reply["last"]["number"] == 1
    assert {"name": "edda", "self": True} in signed_in(edda).post(f"{path}?token={'3' * 32}").json()["others"]
    assert signed_in(ada).post(f"{path}?token={ONE}").status_code == 404
    for token in (ONE, "3" * 32):
        signed_in(edda).post(f"{path}?token={token}&leave")
    assert signed_in(paul).post(f"{path}?token={TWO}").json()["others"] == []
    signed_in(edda).post(f"{path}?token={ONE}")
    assert presence.here(user=paul, article=article, token=TWO, now=timezone.now() + timedelta(minutes=1)) == []
    monkeypatch.setattr(presence.breaker, "ask", lambda _question: None)
    assert signed_in(paul).post(f"{path}?token={TWO}").json()["others"] == []
