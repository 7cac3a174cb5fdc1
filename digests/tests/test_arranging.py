"""What an editor may change in a draft, and that nothing changes afterwards."""

from datetime import datetime, timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.test import RequestFactory

from articles.models import Article
from digests import composing
from digests.admin import issues
from digests.models import Issue
from digests.tests.editing import added, change, items
from subscribers.models import Newsletter
from tests.cast import Publish, Staff


def shown(issue: Issue) -> list[str]:
    return [item.article.headline for item in issue.items.filter(included=True).order_by("position")]


def test_a_draft_can_be_arranged_and_introduced(digest: Issue, staff: Staff) -> None:
    data = items(digest, **{"items-0-position": "5", "items-1-included": "off", "introduction": "Good morning."})
    response = staff("Editor").post(change(digest), data | {"items-2-headline": "Ours"})
    assert response.status_code == 302, response.content.decode()
    digest.refresh_from_db()
    shown = [(str(item), item.included) for item in digest.items.order_by("position")]
    assert shown == [("Second", False), ("Ours", True), ("Third", True)]
    assert digest.introduction == "Good morning."


def test_an_issue_approved_meanwhile_is_not_changed_by_an_old_form(digest: Issue, staff: Staff, now: datetime) -> None:
    editor = staff("Editor")
    Issue.objects.filter(pk=digest.pk).update(state=Issue.State.SCHEDULED)
    response = editor.post(change(digest), items(digest, introduction="Too late."))
    assert response.status_code == 403
    digest.refresh_from_db()
    assert (digest.introduction, digest.state) == ("", Issue.State.SCHEDULED)


def test_a_hostile_subject_is_sent_back(digest: Issue, staff: Staff) -> None:
    response = staff("Editor").post(change(digest), items(digest, subject="Bank\u202eBcc: x@y.example"))
    assert "is invisible" in response.content.decode()


def test_a_line_break_in_a_subject_is_a_blank(digest: Issue, staff: Staff) -> None:
    response = staff("Editor").post(change(digest), items(digest, subject="Bank\x0bBcc: x@y.example"))
    assert response.status_code == 302
    digest.refresh_from_db()
    assert digest.subject == "Bank Bcc: x@y.example"


def test_a_hostile_headline_of_a_story_is_sent_back(digest: Issue, staff: Staff) -> None:
    response = staff("Editor").post(change(digest), items(digest, **{"items-1-headline": "Bank\u202eBcc"}))
    assert "is invisible" in response.content.decode()


def test_stories_can_be_put_in_order(digest: Issue, staff: Staff) -> None:
    order = {"items-0-position": "2", "items-1-position": "1", "items-2-position": "0"}
    assert staff("Editor").post(change(digest), items(digest, **order)).status_code == 302
    assert shown(digest) == ["First", "Second", "Third"]


def test_a_story_can_be_left_out_and_taken_back(digest: Issue, staff: Staff) -> None:
    editor = staff("Editor")
    assert editor.post(change(digest), items(digest, **{"items-1-included": "off"})).status_code == 302
    assert shown(digest) == ["Third", "First"]
    assert editor.post(change(digest), items(digest)).status_code == 302
    assert shown(digest) == ["Third", "Second", "First"]


def test_a_further_story_can_be_added(digest: Issue, publish: Publish, staff: Staff, now: datetime) -> None:
    story = publish("Fourth", now.replace(year=2024))
    assert staff("Editor").post(change(digest), added(digest, story)).status_code == 302
    assert shown(digest) == ["Third", "Second", "First", "Fourth"]


def test_a_story_that_is_not_public_cannot_be_added(
    digest: Issue, publish: Publish, staff: Staff, now: datetime
) -> None:
    story = publish("Secret", now)
    Article.objects.filter(pk=story.pk).update(state=Article.State.DRAFT)
    response = staff("Editor").post(change(digest), added(digest, story))
    assert "“Secret” is not public. Publish it first" in response.content.decode()
    assert not digest.items.filter(article=story).exists()


def test_a_story_that_these_readers_got_cannot_be_added(
    newsletter: Newsletter, digest: Issue, publish: Publish, staff: Staff, now: datetime
) -> None:
    story = publish("Fourth", now + timedelta(hours=1))
    later = composing.compose_now(newsletter=newsletter, cadence="daily", now=now + timedelta(hours=2))
    assert later.items.get().article == story
    response = staff("Editor").post(change(digest), added(digest, story))
    assert "is already in another issue for the same readers" in response.content.decode()


def test_an_issue_approved_between_reading_and_writing_is_not_changed(
    digest: Issue, admin_user: User, rf: RequestFactory
) -> None:
    """The row is asked again under its lock: an object that was read before the approval is not written."""
    request = rf.post("/")
    request.user = admin_user
    stale = Issue.objects.get(pk=digest.pk)
    Issue.objects.filter(pk=digest.pk).update(state=Issue.State.SCHEDULED)
    stale.introduction = "Too late."
    with pytest.raises(PermissionDenied):
        issues.IssueAdmin(Issue, admin.site).save_model(request, stale, form=None, change=True)
    assert Issue.objects.get(pk=digest.pk).introduction == ""
