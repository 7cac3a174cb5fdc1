"""The database goes back in time, as after a restore or a failover to a replica that lagged: nobody gets two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from digests import approval, restored, uncertain
from digests.models import Delivery, Issue
from digests.sending import lanes, preparing, send_journal, sweeper
from digests.sending.tests import transitions
from digests.sending.tests.conftest import ScriptedTransport, frozen_issue, refuse, states, subscribe
from digests.states import DELIVERY_MOVES_AFTER_A_RESTORE, ISSUE_MOVES_AFTER_A_RESTORE
from postal.transports.base import Copy, Phase
from subscribers.models import Letter, Newsletter, Subscriber

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]
READERS, IN_FLIGHT, SENT = 20, 5, 10


class Killed(Exception):
    """The lane's process ends here."""


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SENDING", replace(settings.SENDING, copies_in_flight=IN_FLIGHT))
    monkeypatch.setattr(send_journal.redis_breaker, "away_until", 0.0)


@pytest.fixture
def send(transport: ScriptedTransport) -> Callable[[Issue], lanes.Ending]:
    """Run the issue's lane in a process of its own, which knows nothing but what Redis and the database know."""

    def run(issue: Issue, *, forget: bool = True) -> lanes.Ending:
        if forget:
            send_journal._own.clear()
        return lanes.run(issue_id=issue.pk, lane=0)

    return run


Send = Callable[..., lanes.Ending]


def send_a_part(issue: Issue, transport: ScriptedTransport) -> None:
    """SENT copies leave, then the lane is killed."""

    def kill(_copies: Sequence[Copy]) -> None:
        if len(transport.taken) >= SENT:
            raise Killed

    transport.before = kill
    with pytest.raises(Killed):
        lanes.run(issue_id=issue.pk, lane=0)
    transport.before = lambda _copies: None


def go_back(issue: Issue, backup: str) -> None:
    """The rows are as they were; what was drawn from a sequence stays drawn, as on a replica."""
    transaction.savepoint_rollback(backup)
    issue.refresh_from_db()


def times(transport: ScriptedTransport) -> set[int]:
    """How many copies a reader got who got any."""
    return set(Counter(copy.recipient for copy in transport.taken).values())


@pytest.fixture(params=["another process, by Redis", "the same process, without Redis"])
def memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if "without" in request.param:
        monkeypatch.setattr(send_journal.redis_breaker, "away_until", float("inf"))
    return str(request.param)


def test_copies_that_the_database_forgot_are_not_sent_again(
    sending: Start, transport: ScriptedTransport, send: Send, memory: str
) -> None:
    issue = sending(READERS)
    backup = transaction.savepoint()
    send_a_part(issue, transport)
    go_back(issue, backup)

    assert send(issue, forget="another" in memory) == lanes.Ending.STOPPED

    issue.refresh_from_db()
    assert (issue.state, issue.state_reason) == (Issue.State.PAUSED, send_journal.REASON)
    assert len(transport.taken) == SENT
    approval.resume(issue=issue, actor=None, now=timezone.now())
    assert not sweeper.wake(issue_id=issue.pk, now=timezone.now())
    issue.refresh_from_db()
    assert issue.state == Issue.State.PAUSED


@pytest.mark.parametrize("lost", ["the claim too", "only the attempt"])
def test_a_single_batch_that_was_forgotten_is_missed(
    sending: Start, transport: ScriptedTransport, send: Send, lost: str
) -> None:
    """A failover loses the last instant only."""
    issue = sending(READERS)
    backups = [transaction.savepoint()]
    transport.before = lambda _copies: backups.append(transaction.savepoint())
    send(issue)
    # The batches before the last are on record.
    go_back(issue, backups[-1])
    fence = {} if lost == "only the attempt" else {"fence": 0}
    Delivery.objects.filter(issue=issue, state="attempting").update(state="pending", lease_until=None, **fence)
    assert states(issue) == {"accepted": READERS - IN_FLIGHT, "pending": IN_FLIGHT}

    assert send(issue) == lanes.Ending.STOPPED
    assert times(transport) == {1}


def test_an_issue_that_was_sent_is_not_planned_again(
    newsletter: Newsletter, transport: ScriptedTransport, send: Send
) -> None:
    subscribe(newsletter, READERS)
    issue = frozen_issue(newsletter)
    backup = transaction.savepoint()
    assert preparing.prepare(issue_id=issue.pk, now=timezone.now())
    send(issue)
    go_back(issue, backup)

    send_journal._own.clear()
    assert not preparing.prepare(issue_id=issue.pk, now=timezone.now())
    issue.refresh_from_db()
    assert (issue.state, issue.state_reason) == (Issue.State.SCHEDULED, send_journal.REASON)
    assert not issue.deliveries.exists()


def test_an_issue_that_the_database_does_not_know_any_more_holds_the_others(
    newsletter: Newsletter, sending: Start, transport: ScriptedTransport, send: Send
) -> None:
    send(sending(1))
    backup = transaction.savepoint()
    send(sending(1))
    transaction.savepoint_rollback(backup)
    again, next_one = frozen_issue(newsletter), frozen_issue(newsletter)
    Issue.objects.filter(pk=next_one.pk).update(scheduled_for=timezone.now() + timedelta(hours=1))

    send_journal._own.clear()
    assert not preparing.prepare(issue_id=again.pk, now=timezone.now())
    call_command("after_restore")
    Issue.objects.filter(pk=next_one.pk).update(scheduled_for=timezone.now())
    assert preparing.prepare(issue_id=next_one.pk, now=timezone.now())


def test_another_installation_on_the_same_redis_has_no_notes_of_it(
    newsletter: Newsletter, transport: ScriptedTransport, send: Send
) -> None:
    """As when a trial starts over with an empty database."""
    backup = transaction.savepoint()
    subscribe(newsletter, 1)
    for _ in range(2):
        issue = frozen_issue(newsletter)
        assert preparing.prepare(issue_id=issue.pk, now=timezone.now())
        assert send(issue) == lanes.Ending.IDLE
        transaction.savepoint_rollback(backup)
        subscribe(newsletter, 1)


def test_what_a_copy_goes_through_is_never_taken_for_a_step_back(
    sending: Start, transport: ScriptedTransport, send: Send
) -> None:
    """Put off, tried again, uncertain, sent again by a person: each way into the queue has a new fence."""
    issue = sending(READERS)
    for verdict in (refuse("deferred", Phase.RCPT), refuse("uncertain", Phase.BODY)):
        transport.verdict = verdict
        send(issue)
        assert not send_journal.is_behind(issue_id=issue.pk)
        issue.deliveries.filter(state="deferred").update(due_at=timezone.now() - timedelta(hours=1))
    uncertain.resend(issue=issue, deliveries=None, actor=None, now=timezone.now())

    assert not send_journal.is_behind(issue_id=issue.pk)


def test_without_redis_nobody_waits(
    sending: Start, transport: ScriptedTransport, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = sending(READERS)
    monkeypatch.setattr(settings, "REDIS_URL", "unix:///there/is/no/redis.sock")
    assert send(issue) == lanes.Ending.IDLE
    issue.refresh_from_db()
    assert (issue.state, len(transport.taken)) == (Issue.State.SENT, READERS)


def test_after_a_restore_the_issue_goes_on_with_those_who_certainly_got_none(
    sending: Start, transport: ScriptedTransport, send: Send, capsys: pytest.CaptureFixture[str]
) -> None:
    issue = sending(READERS)
    backup = transaction.savepoint()
    send_a_part(issue, transport)
    go_back(issue, backup)
    send(issue)
    send_journal._own.clear()
    transitions.watch()

    call_command("after_restore")
    call_command("after_restore")
    moves = transitions.seen()
    assert moves["issue"] | moves["delivery"] <= ISSUE_MOVES_AFTER_A_RESTORE | DELIVERY_MOVES_AFTER_A_RESTORE

    assert f"Issue {issue.pk} is paused." in capsys.readouterr().out
    # The batch in hand when the lane was killed may have left too.
    assert states(issue) == {"uncertain": SENT + IN_FLIGHT, "pending": READERS - SENT - IN_FLIGHT}
    issue.refresh_from_db()
    assert issue.state_reason == restored.SOME_UNCERTAIN
    approval.resume(issue=issue, actor=None, now=timezone.now())
    assert send(issue) == lanes.Ending.IDLE
    issue.refresh_from_db()
    assert times(transport) == {1}
    without = set(issue.deliveries.values_list("pk", flat=True)) - {copy.delivery_id for copy in transport.taken}
    assert without <= set(issue.deliveries.filter(state="uncertain").values_list("pk", flat=True))
    assert issue.state == Issue.State.SENT_WITH_EXCEPTIONS


def test_after_a_restore_nothing_leaves_that_a_person_has_not_seen(
    newsletter: Newsletter, sending: Start, transport: ScriptedTransport, send: Send
) -> None:
    """Redis is as empty as after a new start: the issue is held, and nobody claims to know who got it."""
    going, due, later = sending(READERS), frozen_issue(newsletter), frozen_issue(newsletter)
    Issue.objects.filter(pk=later.pk).update(scheduled_for=timezone.now() + timedelta(hours=1))
    reader = Subscriber.objects.all()[0]
    hours_ago = timezone.now() - timedelta(hours=2)
    letters = [
        Letter.objects.create(kind="confirm", subscriber=reader, created_at=at) for at in (hours_ago, timezone.now())
    ]

    call_command("after_restore")

    state_of = {issue.pk: issue.state for issue in Issue.objects.all()}
    assert state_of == {going.pk: "paused", due.pk: "draft", later.pk: "scheduled"}
    assert states(going) == {"pending": READERS}
    assert [Letter.objects.get(pk=one.pk).state for one in letters] == ["expired", "pending"]


def test_a_restore_is_not_over_while_redis_does_not_answer(sending: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = sending(1)
    monkeypatch.setattr(settings, "REDIS_URL", "unix:///there/is/no/redis.sock")
    with pytest.raises(CommandError, match="Redis does not answer"):
        call_command("after_restore")
    issue.refresh_from_db()
    assert issue.state == Issue.State.SENDING
