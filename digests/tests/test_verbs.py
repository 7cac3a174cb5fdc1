"""What each verb does in which state, and what it leaves on record."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from articles.models import Article
from digests import approval, freezing, issue_reasons
from digests.models import Issue, Snapshot
from digests.tests import copies
from subscribers.models import Newsletter
from tests.table import rows

pytestmark = pytest.mark.django_db

State = Issue.State
VERBS: dict[str, tuple[Callable[[Issue, datetime], Issue], set[State], State]] = {
    "pause": (
        lambda issue, now: approval.pause(issue=issue, reason="Wait.", actor=None, now=now),
        {State.SENDING},
        State.PAUSED,
    ),
    "resume": (lambda issue, now: approval.resume(issue=issue, actor=None, now=now), {State.PAUSED}, State.SENDING),
    "reopen": (
        lambda issue, now: approval.reopen(issue=issue, reason=issue_reasons.by_hand("Wait."), actor=None, now=now),
        {State.SCHEDULED},
        State.DRAFT,
    ),
    "cancel": (
        lambda issue, now: approval.cancel(issue=issue, reason="Wait.", actor=None, now=now),
        {State.DRAFT, State.SCHEDULED, State.PREPARING, State.SENDING, State.PAUSED},
        State.CANCELLED,
    ),
}


@rows("name", VERBS)
def test_a_verb_works_in_its_states_and_refuses_in_all_others(newsletter: Newsletter, name: str) -> None:
    verb, sources, target = VERBS[name]
    now = timezone.now() + timedelta(minutes=5)
    for state in State:
        issue = copies.issue(newsletter, state=state)
        if state in sources:
            verb(issue, now)
        else:
            with pytest.raises(approval.NotAllowed, match=f"this one is {state.label.lower()}"):
                verb(issue, now)
        reason = "Wait." if state in sources and name != "resume" else ""
        assert (issue.state, issue.reason_sentence) == (target if state in sources else state, reason)
        assert (issue.updated_at == now) is (state in sources)


def test_a_long_reason_is_cut_short(newsletter: Newsletter) -> None:
    issue = copies.issue(newsletter)
    assert approval.cancel(issue=issue, reason="x" * 999, actor=None, now=timezone.now()).reason_sentence == "x" * 300


@pytest.mark.parametrize("by_hand", [False, True])
def test_an_approval_says_whose_it_is_and_when(digest: Issue, admin_user: User, by_hand: bool) -> None:
    Issue.objects.update(**issue_reasons.columns(issue_reasons.by_hand("Wait.")))
    now = timezone.now()
    approval.approve(issue=digest, actor=admin_user if by_hand else None, now=now)
    assert (digest.state, digest.state_reason, digest.state_reason_parameters) == (State.SCHEDULED, "", None)
    assert (digest.approved_by, digest.approved_at) == (admin_user if by_hand else None, now)
    assert freezing.verify(snapshot=Snapshot.objects.get(issue=digest))


def test_the_hour_is_the_one_that_is_said_then_the_one_that_was_set_then_now(digest: Issue) -> None:
    now = timezone.now()
    requested, was_set = now + timedelta(hours=1), now + timedelta(hours=2)
    for when, known, expected in [(requested, was_set, requested), (None, was_set, was_set), (None, None, now)]:
        Issue.objects.update(state=State.DRAFT, scheduled_for=known)
        assert approval.approve(issue=digest, actor=None, now=now, when=when).scheduled_for == expected


def test_what_is_opened_again_is_nobodys_approval(digest: Issue, admin_user: User) -> None:
    now = timezone.now()
    approval.approve(issue=digest, actor=admin_user, now=now, when=now + timedelta(hours=1))
    approval.reopen(issue=digest, reason=issue_reasons.by_hand("A typo."), actor=None, now=now)
    assert (digest.approved_by, digest.approved_at) == (None, None)
    assert not Snapshot.objects.exists()


def test_an_issue_is_not_opened_halfway(digest: Issue, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the old snapshot it would leave with the old text, whatever was mended."""
    now = timezone.now()
    approval.approve(issue=digest, actor=None, now=now, when=now + timedelta(hours=1))
    monkeypatch.setattr(approval, "Snapshot", None)
    with pytest.raises(AttributeError):
        approval.reopen(issue=digest, reason=issue_reasons.by_hand("A typo."), actor=None, now=now)
    digest.refresh_from_db()
    assert digest.state == State.SCHEDULED


def test_a_person_is_told_of_a_story_that_went_and_the_clock_leaves_it_out(digest: Issue, admin_user: User) -> None:
    gone = digest.items.order_by("position")[0]
    Article.objects.filter(pk=gone.article_id).update(state=Article.State.WITHDRAWN)
    now = timezone.now()
    with pytest.raises(approval.NotAllowed, match="is not public any more"):
        approval.approve(issue=digest, actor=admin_user, now=now)
    assert approval.approve(issue=digest, actor=None, now=now).state == State.SCHEDULED
    Issue.objects.update(state=State.DRAFT)
    Snapshot.objects.all().delete()
    digest.items.filter(pk=gone.pk).update(included=False)
    assert approval.approve(issue=digest, actor=admin_user, now=now).state == State.SCHEDULED
