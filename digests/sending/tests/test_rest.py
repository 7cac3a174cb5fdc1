"""The rest of a cancelled issue: those who did not get it, and nobody else, whatever dies on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from digests import approval, issue_outcomes, rest, stats
from digests.models import Delivery, Issue
from digests.sending import closing, history, lanes, sweeper
from digests.sending.tests.conftest import ScriptedTransport, states
from staff.models import AuditEvent
from subscribers import consent, erasure, signup, suppression
from subscribers.models import Subscription, Suppression

pytestmark = pytest.mark.django_db

State = Issue.State
Sending = Callable[[int], Issue]


@pytest.fixture
def half(sending: Sending, transport: ScriptedTransport) -> Issue:
    """Of ten readers three got it and of one nobody knows, when it was cancelled."""
    issue = sending(10)
    copies = list(issue.deliveries.order_by("pk"))
    for copy, state in zip(copies, ["accepted"] * 3 + ["uncertain"], strict=False):
        Delivery.objects.filter(pk=copy.pk).update(state=state, settled_at=timezone.now())
    approval.cancel(issue=issue, reason="A wrong number.", actor=None, now=timezone.now())
    tick(issue)
    issue.refresh_from_db()
    assert states(issue) == {"accepted": 3, "uncertain": 1, "cancelled": 6}
    return issue


def tick(issue: Issue) -> None:
    sweeper.wake(issue_id=issue.pk, now=timezone.now())


def send(issue: Issue) -> None:
    rest.send(issue=issue, actor=User.objects.create_superuser("publisher"), now=timezone.now())


def finish(issue: Issue) -> None:
    tick(issue)
    lanes.run(issue_id=issue.pk, lane=0)
    issue.refresh_from_db()


@pytest.mark.parametrize("is_moved", [False, True])
def test_who_has_none_gets_one_and_nobody_else(half: Issue, transport: ScriptedTransport, is_moved: bool) -> None:
    if is_moved:
        history.maintain(now=timezone.now() + timedelta(hours=2))
        assert half.deliveries.filter(month__isnull=False).count() == 10
    without = set(half.deliveries.filter(state="cancelled").values_list("subscriber__address", flat=True))
    gone = list(Subscription.objects.filter(subscriber__address__in=without).select_related("subscriber")[:4])
    leaving, paused, bounced, erased = gone
    signup.unsubscribe(subscription=leaving, evidence=consent.Evidence(), reason="one_click", now=timezone.now())
    Subscription.objects.filter(pk=paused.pk).update(paused_until=timezone.now() + timedelta(days=3))
    suppression.suppress(
        address_key=bounced.subscriber.address_key, reason=Suppression.Reason.MANUAL, actor=None, now=timezone.now()
    )
    erasure.erase(
        address_key=erased.subscriber.address_key, evidence=consent.Evidence(), actor=None, now=timezone.now()
    )
    half.refresh_from_db()
    assert (rest.size(issue=half), rest.readers(issue=half, now=timezone.now())) == (6, 2)

    send(half)
    assert stats.progress(half).open == 6
    finish(half)

    got = Counter(copy.recipient for copy in transport.taken)
    assert got == Counter(without - {one.subscriber.address for one in gone})
    assert states(half) == {"accepted": 5, "uncertain": 1, "suppressed": 4}
    assert half.state == State.SENT_WITH_EXCEPTIONS
    assert stats.progress(half).conserved
    event = AuditEvent.objects.get(action="issue_rest_sent")
    assert (event.object_id, event.detail, event.actor_name) == (str(half.pk), {"copies": 6}, "publisher")


def test_whoever_dies_on_the_way_the_next_goes_on(
    half: Issue, transport: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "CANCELLED_AT_ONCE", 4)
    send(half)
    # A lane that comes before the sweeper must not call the issue sent.
    lanes.run(issue_id=half.pk, lane=0)
    half.refresh_from_db()
    assert (half.state, transport.taken) == (State.SENDING, [])
    # The process that gives the copies back dies after the first four, and somebody pauses meanwhile.
    assert closing._reinstate_some(half.pk) == 4  # one transaction of several
    approval.pause(issue=half, reason="Wait.", actor=None, now=timezone.now())
    tick(half)
    assert states(half) == {"accepted": 3, "uncertain": 1, "pending": 4, "cancelled": 2}
    assert stats.progress(half).open == 6
    # A sweep that had looked before the rest was asked for changes nothing now.
    assert closing.sweep_cancelled(issue_id=half.pk) == 0

    approval.resume(issue=half, actor=None, now=timezone.now())
    finish(half)

    assert Counter(states(half)) == {"accepted": 9, "uncertain": 1}
    assert max(Counter(copy.recipient for copy in transport.taken).values()) == 1


def test_it_can_be_cancelled_and_sent_once_more(half: Issue, transport: ScriptedTransport) -> None:
    send(half)
    approval.cancel(issue=half, reason="Wrong again.", actor=None, now=timezone.now())
    tick(half)
    half.refresh_from_db()
    assert (states(half)["cancelled"], rest.size(issue=half)) == (6, 6)

    rest.send(issue=half, actor=None, now=timezone.now())
    finish(half)

    assert states(half) == {"accepted": 9, "uncertain": 1}


def test_its_time_counts_from_when_the_rest_was_asked_for(half: Issue, transport: ScriptedTransport) -> None:
    Issue.objects.filter(pk=half.pk).update(started_at=timezone.now() - timedelta(days=30))
    half.refresh_from_db()

    send(half)
    finish(half)

    assert states(half) == {"accepted": 9, "uncertain": 1}


def test_without_a_rest_nothing_is_sent(half: Issue) -> None:
    half.deliveries.filter(state="cancelled").update(state="rejected")
    issue_outcomes.record(issue_id=half.pk)
    with pytest.raises(rest.NotAllowed, match="There is no rest"):
        send(half)
    Issue.objects.filter(pk=half.pk).update(state=State.SENT)
    with pytest.raises(rest.NotAllowed, match="this one is sent"):
        rest.send(issue=half, actor=None, now=timezone.now())
    half.refresh_from_db()
    assert half.finished_at is not None
