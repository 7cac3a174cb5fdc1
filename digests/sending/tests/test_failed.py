"""What failed for a reason that may pass is sent again to exactly those readers, as one act of a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from digests import failed, issue_outcomes, stats
from digests.models import Delivery, Issue
from digests.sending import history, lanes, sweeper
from digests.sending.tests.conftest import ScriptedTransport, states
from postal.transports.base import Copy, Outcome, Phase
from staff.models import AuditEvent
from subscribers import consent, erasure, signup, suppression
from subscribers.models import Subscription, Suppression
from tests.cast import account
from tests.table import rows

pytestmark = pytest.mark.django_db

State = Issue.State
# Each way in which a copy may end, and whether it leaves again.
ENDS = [
    ("accepted", "", False), ("uncertain", "answer_lost", False), ("suppressed", "unsubscribed", False),
    ("rejected", "mailbox_gone", False), ("rejected", "unwanted", False), ("rejected", "reported_bounced", False),
    ("rejected", "refused", False), ("rejected", "provider_refused", False),
    ("rejected", "about_us", True), ("rejected", "mailbox_full", True), ("expired", "time_over", True),
    ("expired", "passing", True), ("render_failed", "not_built", True),
]  # fmt: skip
AGAIN = {reason for _state, reason, leaves in ENDS if leaves}


@pytest.fixture
def ended(sending: Callable[[int], Issue], transport: ScriptedTransport) -> Issue:
    """An issue with a copy that ended in each of these ways, a month ago."""
    issue = sending(len(ENDS))
    for copy, (state, reason, _leaves) in zip(issue.deliveries.order_by("pk"), ENDS, strict=True):
        Delivery.objects.filter(pk=copy.pk).update(
            state=state, reason=reason, settled_at=timezone.now(), render_failures=3, attempts=5
        )
    issue_outcomes.record(issue_id=issue.pk)
    Issue.objects.filter(pk=issue.pk).update(
        state=State.SENT_WITH_EXCEPTIONS, finished_at=timezone.now(), started_at=timezone.now() - timedelta(days=30)
    )
    issue.refresh_from_db()
    return issue


def send(issue: Issue) -> int:
    return failed.send(issue=issue, actor=User.objects.create_superuser("publisher"), now=timezone.now())


def finish(issue: Issue) -> None:
    sweeper.wake(issue_id=issue.pk, now=timezone.now())
    lanes.run(issue_id=issue.pk, lane=0)
    issue.refresh_from_db()


def outcomes(issue: Issue) -> list[tuple[str, str]]:
    return list(issue.deliveries.order_by("pk").values_list("state", "reason"))


@pytest.mark.parametrize("is_moved", [False, True])
def test_exactly_what_failed_leaves_again(ended: Issue, transport: ScriptedTransport, is_moved: bool) -> None:
    if is_moved:
        history.maintain(now=timezone.now() + timedelta(hours=2))
        assert ended.deliveries.filter(month__isnull=False).count() == len(ENDS)
    wanted = set(ended.deliveries.filter(reason__in=AGAIN).values_list("subscriber__address", flat=True))
    assert failed.size(issue=ended) == len(wanted) == 5

    assert send(ended) == 5
    assert stats.progress(ended).open == 5
    finish(ended)

    assert Counter(copy.recipient for copy in transport.taken) == Counter(wanted)
    expected = [("accepted", "") if leaves else (state, reason) for state, reason, leaves in ENDS]
    assert outcomes(ended) == expected
    assert (ended.state, failed.size(issue=ended)) == (State.SENT_WITH_EXCEPTIONS, 0)
    assert stats.progress(ended).conserved
    event = AuditEvent.objects.get(action="failed_resent")
    assert (event.object_id, event.detail, event.actor_name) == (str(ended.pk), {"count": 5}, "publisher")


def test_who_may_not_be_mailed_any_more_keeps_the_outcome_of_before(ended: Issue, transport: ScriptedTransport) -> None:
    theirs = ended.deliveries.filter(reason__in=AGAIN).order_by("pk").values_list("subscriber", flat=True)
    leaving, paused, blocked, erased, stays = (Subscription.objects.get(subscriber=one) for one in theirs)
    now = timezone.now()
    signup.unsubscribe(subscription=leaving, evidence=consent.Evidence(), reason="one_click", now=now)
    Subscription.objects.filter(pk=paused.pk).update(paused_until=now + timedelta(days=3))
    suppression.suppress_hash(
        address_hash=blocked.subscriber.address_hash, reason=Suppression.Reason.COMPLAINT, now=now
    )
    erasure.erase(address_key=erased.subscriber.address_key, evidence=consent.Evidence(), actor=None, now=now)
    before = Counter(outcomes(ended))

    assert (failed.copies(issue=ended, now=now).count(), send(ended)) == (1, 1)
    finish(ended)

    assert [copy.recipient for copy in transport.taken] == [stays.subscriber.address]
    assert Counter(outcomes(ended)) - before == Counter([("accepted", "")])


def test_its_time_counts_anew_and_a_refusal_is_not_final_at_once(ended: Issue, transport: ScriptedTransport) -> None:
    def put_off(copy: Copy) -> Outcome:
        return Outcome(copy.delivery_id, "deferred", Phase.RCPT, "later", "450 4.2.0", cause="passing")

    transport.verdict = put_off
    send(ended)
    finish(ended)
    assert states(ended)["deferred"] == 5
    assert set(ended.deliveries.filter(state="deferred").values_list("attempts", flat=True)) == {1}


def test_twice_asked_is_once_sent(ended: Issue, transport: ScriptedTransport) -> None:
    stale = Issue.objects.get(pk=ended.pk)
    send(ended)
    with pytest.raises(failed.NotAllowed):
        failed.send(issue=stale, actor=None, now=timezone.now())
    finish(ended)
    assert max(Counter(copy.recipient for copy in transport.taken).values()) == 1


@rows("state", [State.SENDING, State.PAUSED, State.CANCELLED])
def test_an_issue_that_has_not_ended_has_nothing_to_send_again(ended: Issue, state: str) -> None:
    finished = None if state != State.CANCELLED else timezone.now()
    Issue.objects.filter(pk=ended.pk).update(state=state, finished_at=finished)
    with pytest.raises(failed.NotAllowed):
        send(ended)
    assert states(ended)["expired"] == 2


def test_who_may_not_send_does_not(ended: Issue) -> None:
    with pytest.raises(PermissionDenied):
        failed.send(issue=ended, actor=account("author", "Author"), now=timezone.now())
    assert states(ended)["expired"] == 2
