"""Beside the text of a story: the mail that it would become, of what is on the screen."""

from typing import Any

from django.test import Client

from articles.models import Article
from digests.models import Issue
from publication import groups
from subscribers.models import Newsletter
from tests.cast import Publish, Staff

PATH = "/admin/digests/issue/story-mail/"


def mail(client: Client, path: str = PATH, **fields: str) -> Any:
    form = {"headline": "On the screen", "standfirst": "Why.", "body_markdown": "Fresh *words*."}
    return client.post(path, form | fields)


def test_the_mail_of_the_form_is_shown_and_nothing_is_saved(
    newsletter: Newsletter, publish: Publish, staff: Staff
) -> None:
    story, editor = publish("As saved"), staff(groups.EDITOR)
    before = Article.objects.values().get(pk=story.pk)
    response = mail(editor, f"{PATH}{story.pk}/")
    words = response.content.decode()
    assert (response.status_code, "On the screen" in words, "As saved" in words) == (200, True, False)
    assert "<em>words</em>" in words
    assert newsletter.name in words
    assert "%%" not in words
    assert Article.objects.values().get(pk=story.pk) == before
    assert not Issue.objects.exists()
    assert "On the screen" in mail(editor).content.decode()
    refused = mail(editor, body_markdown="![x](image:999)")
    assert (refused.status_code, "no picture number 999" in refused.content.decode()) == (422, True)
    Newsletter.objects.update(is_open=False)
    assert mail(editor).status_code == 422


def test_its_frame_runs_no_script_and_it_is_for_those_who_may_see_the_story(
    client: Client, newsletter: Newsletter, publish: Publish, staff: Staff
) -> None:
    path, author = f"{PATH}{publish('Confidential').pk}/", staff(groups.AUTHOR)
    assert mail(client, path).status_code == 302
    assert mail(author, path).status_code == 404
    assert mail(author).status_code == 200
    frame = author.get(PATH)
    policy = frame["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "allow-scripts" not in policy
    assert frame["X-Frame-Options"] == "SAMEORIGIN"
