"""From approval to sending: what was approved is what leaves, or nothing does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone

from articles.models import Article, Section
from core.reasons import Reason
from digests import approval, freezing
from digests.models import Issue, IssueItem, Snapshot
from digests.sending import lanes, preparing
from digests.sending.tests.conftest import ScriptedTransport, frozen_issue, states, subscribe
from postal.transports.base import Copy
from publication.models import Publication
from subscribers.models import Newsletter
from tests import ownership
from tests.table import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def story() -> Article:
    section = Section.objects.create(name="News", slug="news")
    now = timezone.now()
    return Article.objects.create(
        headline="A story",
        slug="a-story",
        section=section,
        state=Article.State.PUBLISHED,
        published_at=now,
        first_published_at=now,
        body_sha256="0" * 64,
    )


def prepare(issue: Issue) -> bool:
    started = preparing.prepare(issue_id=issue.pk, now=timezone.now())
    issue.refresh_from_db()
    return started


def test_nothing_leaves_before_its_hour(newsletter: Newsletter) -> None:
    issue = frozen_issue(newsletter)
    Issue.objects.filter(pk=issue.pk).update(scheduled_for=timezone.now() + timedelta(hours=1))
    assert not prepare(issue)
    assert issue.state == Issue.State.SCHEDULED


def test_a_second_preparation_does_nothing(newsletter: Newsletter) -> None:
    subscribe(newsletter, 2)
    issue = frozen_issue(newsletter)
    assert prepare(issue)
    assert not prepare(issue)
    assert states(issue) == {"pending": 2}


def test_a_worker_that_died_while_preparing_is_made_up_for(newsletter: Newsletter) -> None:
    subscribe(newsletter, 2)
    issue = frozen_issue(newsletter, state=Issue.State.PREPARING)
    assert prepare(issue)
    assert issue.audience_count == 2


def test_one_of_which_a_worker_died_while_preparing_it_is_as_stale_as_any(newsletter: Newsletter) -> None:
    subscribe(newsletter, 1)
    issue, newer = frozen_issue(newsletter, state=Issue.State.PREPARING), frozen_issue(newsletter)
    later = timezone.now() + timedelta(days=3)
    Issue.objects.filter(pk=newer.pk).update(scheduled_for=later - timedelta(hours=1))
    assert not preparing.prepare(issue_id=issue.pk, now=later)
    issue.refresh_from_db()
    newer.refresh_from_db()
    assert (issue.state, issue.audience_count) == (Issue.State.CANCELLED, None)
    assert newer.state == Issue.State.SCHEDULED


def test_an_issue_that_began_says_when_and_no_other_moves(newsletter: Newsletter) -> None:
    """Whether it was planned tells for ever whether it may have left."""
    issue, other = frozen_issue(newsletter), frozen_issue(newsletter)
    now = timezone.now()
    assert preparing.prepare(issue_id=issue.pk, now=now)
    issue.refresh_from_db()
    other.refresh_from_db()
    assert (issue.state, issue.planned_at, issue.started_at) == (Issue.State.SENDING, now, now)
    assert (other.state, other.planned_at) == (Issue.State.SCHEDULED, None)


def test_a_draft_is_never_prepared(newsletter: Newsletter) -> None:
    issue = frozen_issue(newsletter, state=Issue.State.DRAFT)
    assert not prepare(issue)
    assert issue.state == Issue.State.DRAFT


def test_a_withdrawn_story_stops_what_a_person_approved(
    newsletter: Newsletter, story: Article, admin_user: object
) -> None:
    issue = frozen_issue(newsletter)
    Issue.objects.filter(pk=issue.pk).update(approved_by=admin_user)
    IssueItem.objects.create(issue=issue, article=story)
    Article.objects.filter(pk=story.pk).update(state=Article.State.WITHDRAWN)
    assert not prepare(issue)
    assert issue.state == Issue.State.DRAFT
    assert issue.reason_sentence == "“A story” was withdrawn after the approval. Look again and approve."
    assert (issue.approved_by, issue.approved_at) == (None, None)
    assert not Snapshot.objects.exists()


@pytest.mark.parametrize("is_another_left", [True, False])
def test_what_nobody_approved_leaves_without_a_story_that_was_withdrawn(
    newsletter: Newsletter, story: Article, is_another_left: bool
) -> None:
    publication = Publication.objects.current()
    publication.postal_address, publication.sender_address = "1 Street, Town", "news@example.com"
    publication.save()
    subscribe(newsletter, 1)
    issue = frozen_issue(newsletter)
    IssueItem.objects.create(issue=issue, article=story)
    withdrawn = Article.objects.create(
        headline="Wrong", slug="wrong", section=story.section, state=Article.State.WITHDRAWN, body_sha256="0" * 64
    )
    IssueItem.objects.create(issue=issue, article=withdrawn, position=1)
    if not is_another_left:
        Article.objects.update(state=Article.State.WITHDRAWN)
    before = issue.snapshot.pk

    assert prepare(issue) is is_another_left

    if is_another_left:
        issue = Issue.objects.get(pk=issue.pk)
        assert (issue.state, states(issue)) == (Issue.State.SENDING, {"pending": 1})
        assert issue.snapshot.pk != before
        assert "A story" in issue.snapshot.text
        assert "Wrong" not in issue.snapshot.text
    else:
        assert issue.state == Issue.State.CANCELLED
        assert issue.reason_sentence.startswith("No published story is left")
        assert not issue.deliveries.exists()


def test_a_long_reason_against_freezing_it_again_stops_it_too(
    newsletter: Newsletter, story: Article, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_what: object) -> None:
        raise freezing.NotFrozen("It is too long. " * 100)

    monkeypatch.setattr(freezing, "freeze", refuse)
    issue = frozen_issue(newsletter)
    IssueItem.objects.create(issue=issue, article=story)
    Article.objects.update(state=Article.State.WITHDRAWN)
    assert not prepare(issue)
    assert (issue.state, len(issue.reason_sentence)) == (Issue.State.CANCELLED, 300)


def test_a_damaged_snapshot_is_not_sent(newsletter: Newsletter) -> None:
    issue = frozen_issue(newsletter)
    with ownership.owner(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE digests_snapshot SET text = 'Something else.'")
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert not prepare(issue)
    assert issue.state == Issue.State.DRAFT


def test_the_database_keeps_a_snapshot_as_it_is(newsletter: Newsletter) -> None:
    frozen_issue(newsletter)
    with pytest.raises(DatabaseError, match="cannot change"), ownership.owner():
        Snapshot.objects.update(text="Something else.")


def test_an_approval_taken_back_can_be_edited_again(newsletter: Newsletter) -> None:
    issue = frozen_issue(newsletter)
    approval.reopen(issue=issue, reason=Reason("reopened"), actor=None, now=timezone.now())
    assert issue.state == Issue.State.DRAFT
    assert not Snapshot.objects.exists()


@rows("state", [Issue.State.PREPARING, Issue.State.SENT, Issue.State.CANCELLED])
def test_verbs_refuse_other_states_and_change_nothing(newsletter: Newsletter, state: str) -> None:
    issue = frozen_issue(newsletter)
    Issue.objects.filter(pk=issue.pk).update(state=state, audience_count=0)
    now = timezone.now()
    with pytest.raises(approval.NotAllowed):
        approval.approve(issue=issue, actor=None, now=now)
    with pytest.raises(approval.NotAllowed):
        approval.reopen(issue=issue, reason=Reason(), actor=None, now=now)
    with pytest.raises(approval.NotAllowed):
        approval.pause(issue=issue, reason="", actor=None, now=now)
    with pytest.raises(approval.NotAllowed):
        approval.resume(issue=issue, actor=None, now=now)
    issue.refresh_from_db()
    assert issue.state == state


def test_a_story_withdrawn_while_its_issue_leaves_stops_it_and_the_next_one_brings_the_others(
    newsletter: Newsletter, story: Article, transport: ScriptedTransport
) -> None:
    subscribe(newsletter, 120)
    issue = frozen_issue(newsletter)
    IssueItem.objects.create(issue=issue, article=story)
    assert prepare(issue)

    def withdraw(_copies: Sequence[Copy]) -> None:
        Article.objects.filter(pk=story.pk).update(state=Article.State.WITHDRAWN)

    transport.before = withdraw
    assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.STOPPED
    issue.refresh_from_db()
    assert states(issue) == {"accepted": 50, "suppressed": 70}
    kept_back = issue.deliveries.filter(reason="story_withdrawn").values_list("subscriber", flat=True)
    catching_up = newsletter.subscriptions.filter(out_of_step_since__isnull=False)
    assert set(kept_back) == set(catching_up.values_list("subscriber", flat=True))
    assert issue.state == Issue.State.CANCELLED
    assert issue.reason_sentence == "“A story” was withdrawn while the issue was being sent."
