"""After a restore, what the scheduler would send again becomes a draft for a person."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from articles.models import Article
from digests import restored, tasks
from digests.models import Delivery, Issue
from digests.sending import send_journal
from digests.tests import copies
from subscribers.models import Cadence, CadenceOffer, Letter, Newsletter
from tests.cast import Publish

pytestmark = pytest.mark.django_db


def test_a_digest_that_the_clock_would_send_again_waits_for_a_person(newsletter: Newsletter, publish: Publish) -> None:
    Newsletter.objects.update(auto_approve=True)
    now = timezone.now()
    story = publish("A story of the last minutes", now - timedelta(minutes=2))
    CadenceOffer.objects.filter(cadence=Cadence.DAILY).update(send_at=(now - timedelta(minutes=1)).time())
    Newsletter.objects.update(time_zone="UTC")

    held = restored.hold(now=now)
    tasks.tick()

    assert held.drafts
    assert set(Article.objects.filter(issue_items__issue__in=held.drafts)) == {story}
    assert set(Issue.objects.values_list("state", flat=True)) <= {Issue.State.DRAFT, Issue.State.CANCELLED}


@pytest.fixture
def empty_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_journal, "_own", {})
    monkeypatch.setattr(send_journal.redis_breaker, "away_until", 0.0)


def left(issue: Issue, *, highest: int, fence: int) -> None:
    """A lane recorded a batch in the journal before the restore."""
    send_journal.Journal(issue_id=issue.pk, lane=0).note(delivery_id=highest, fence=fence, highest=highest)


@pytest.mark.usefixtures("empty_journal")
@pytest.mark.parametrize("state", [Issue.State.SENDING, Issue.State.PAUSED])
def test_of_an_issue_under_way_only_what_may_have_left_is_uncertain(newsletter: Newsletter, state: Issue.State) -> None:
    issue = copies.issue(newsletter, state=state, audience=6)
    before = [copies.copy(issue, None, Delivery.State(one)) for one in ("accepted", "rejected", *Delivery.OPEN)]
    after = [copies.copy(issue, None, Delivery.State(one)) for one in Delivery.OPEN]
    left(issue, highest=before[-1].pk, fence=10)

    held = restored.hold(now=timezone.now())

    assert (held.paused, held.uncertain) == ([issue], 4)
    assert list(issue.deliveries.order_by("pk").values_list("state", flat=True)) == [
        "accepted", "rejected", *["uncertain"] * 4, *Delivery.OPEN,
    ]  # fmt: skip
    issue.refresh_from_db()
    assert (issue.state, issue.state_reason) == (Issue.State.PAUSED, restored.SOME_UNCERTAIN)
    for copy in issue.deliveries.filter(state="uncertain"):
        assert copy.reason == restored.MAY_HAVE_LEFT
        assert copy.settled_at is not None
        assert (copy.lease_until, copy.due_at) == (None, None)
        # Under a new fence, so that a lane that still holds the copy cannot settle it.
        assert copy.fence > 0
    assert after[0].fence == 0


@pytest.mark.usefixtures("empty_journal")
def test_a_second_run_changes_nothing(newsletter: Newsletter) -> None:
    """The first run settled and acknowledged everything, so the journal has no open entry."""
    noted, unknown = copies.issue(newsletter), copies.issue(newsletter)
    left(noted, highest=copies.copy(noted, None, Delivery.State.PENDING).pk, fence=10)
    for _ in range(2):
        restored.hold(now=timezone.now())
        for issue, reason in [(noted, restored.SOME_UNCERTAIN), (unknown, restored.UNKNOWN)]:
            issue.refresh_from_db()
            assert issue.state_reason == reason


@pytest.mark.usefixtures("empty_journal")
def test_no_fence_from_before_the_restore_is_drawn_again(newsletter: Newsletter) -> None:
    issue = copies.issue(newsletter)
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('digests_fence')")
        far = int(cursor.fetchone()[0]) + 10**9
    left(issue, highest=copies.copy(issue, None, Delivery.State.PENDING).pk, fence=far)
    restored.hold(now=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('digests_fence')")
        assert cursor.fetchone()[0] > far + restored.FENCES_AHEAD
    # The journal entries are settled, so nothing is held any more.
    assert not send_journal.is_behind(issue_id=issue.pk)


@pytest.mark.usefixtures("empty_journal")
def test_what_was_about_to_begin_is_a_draft(newsletter: Newsletter) -> None:
    now = timezone.now()
    issues = [copies.issue(newsletter, state=one) for one in (Issue.State.PREPARING, Issue.State.SCHEDULED)]
    Issue.objects.update(scheduled_for=now)
    assert restored.hold(now=now).drafts == issues
    for issue in issues:
        issue.refresh_from_db()
        assert (issue.state, issue.state_reason) == (Issue.State.DRAFT, restored.LOOK_AGAIN)


@pytest.mark.usefixtures("empty_journal")
def test_letters_that_left_before_the_restore_are_given_up(newsletter: Newsletter) -> None:
    now = timezone.now()
    reader = copies.reader(newsletter)
    old = now - restored.LETTERS_OLDER_THAN * 2
    for state in Letter.State:
        Letter.objects.create(kind="confirm", subscriber=reader, state=state, created_at=old, lease_until=now)
    waited = {Letter.State.PENDING, Letter.State.ATTEMPTING}
    assert restored.hold(now=now).letters == len(waited)
    given_up = Letter.objects.filter(reason="may_have_left")
    assert set(given_up.values_list("state", "settled_at", "lease_until")) == {(Letter.State.EXPIRED, now, None)}
    assert not Letter.objects.filter(state__in=waited).exists()


@pytest.mark.usefixtures("empty_journal")
def test_the_command_asks_the_operator_to_verify_the_record_of_consent(
    newsletter: Newsletter, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("after_restore")

    assert "verify_consent before you resume anything" in capsys.readouterr().out


@pytest.mark.usefixtures("empty_journal")
def test_a_run_that_fails_changes_nothing(newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = copies.issue(newsletter)
    monkeypatch.setattr(restored, "Letter", None)
    with pytest.raises(AttributeError):
        restored.hold(now=timezone.now())
    issue.refresh_from_db()
    assert issue.state == Issue.State.SENDING


@pytest.mark.usefixtures("empty_journal")
def test_after_redis_goes_away_midway_the_command_must_run_again(
    newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the acknowledgement the issue would be held again."""
    copies.issue(newsletter)
    monkeypatch.setattr(send_journal, "acknowledge", lambda *, fence: False)
    with pytest.raises(restored.RedisAway):
        restored.hold(now=timezone.now())
