"""kill -9, and sleep, around an undo and a rest: nobody gets two, everybody who got none is listed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from core.reasons import Reason
from digests import approval, rest, stats
from digests.models import Delivery, Issue
from digests.sending import claims, sweeper
from digests.sending.tests.conftest import IN_FLIGHT, READERS, expire_leases, frozen_issue, states, subscribe
from subscribers.models import Newsletter
from tests.faults import lane_processes, smtp_server
from tests.journeys import stage as stages

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

Start = Callable[[int], Issue]
State = Issue.State


@pytest.fixture
def approved(newsletter: Newsletter, mail: smtp_server.Server) -> Issue:
    """An approved issue for thirty readers whose wait is just over."""
    subscribe(newsletter, READERS)
    mail.begin_again({})
    return frozen_issue(newsletter)


@pytest.fixture
def cancelled(sending: Start, nursery: lane_processes.Nursery, mail: smtp_server.Server) -> Issue:
    """An issue of which ten copies arrived when its lane was killed, and then it was cancelled."""
    issue = sending(READERS)
    mail.begin_again({})
    nursery.start(issue_id=issue.pk, crash_at="settled:1").wait()
    approval.cancel(issue=issue, reason="A wrong number.", actor=None, now=timezone.now())
    recover(issue)
    assert {"accepted", "cancelled"} <= states(issue).keys()
    return issue


def recover(issue: Issue) -> None:
    """What the clock does once the leases of a dead lane are over."""
    expire_leases(issue, timezone.now() - timedelta(hours=1))
    claims.recover()
    sweeper.wake(issue_id=issue.pk, now=timezone.now())
    issue.refresh_from_db()


def work(nursery: lane_processes.Nursery, issue: Issue, *, crash_at: str = "") -> None:
    """A worker that begins the issue if it is due and works until it ends, or dies."""
    nursery.start(issue_id=issue.pk, crash_at=crash_at, until_closed=True).wait()
    issue.refresh_from_db()


def take_back(issue: Issue) -> None:
    approval.reopen(issue=issue, reason=Reason(), actor=None, now=timezone.now())


def check_contract(issue: Issue, mail: smtp_server.Server, *, kills: int) -> None:
    """Design 6, after that many kills with copies on the wire."""
    copies = mail.copies()
    rows = dict(issue.deliveries.values_list("subscriber__address", "state"))
    uncertain = {address for address, state in rows.items() if state == Delivery.State.UNCERTAIN}
    assert max(copies.values()) == 1
    assert len(rows) == READERS
    assert rows.keys() - copies.keys() <= uncertain
    assert set(rows.values()) <= {Delivery.State.ACCEPTED, Delivery.State.UNCERTAIN}
    assert len(uncertain) <= kills * IN_FLIGHT
    assert stats.progress(issue).conserved
    assert issue.state == (State.SENT_WITH_EXCEPTIONS if uncertain else State.SENT)


def test_a_worker_that_dies_before_it_takes_the_issue_leaves_the_undo(
    approved: Issue, nursery: lane_processes.Nursery, mail: smtp_server.Server
) -> None:
    work(nursery, approved, crash_at="due:1")
    assert (approved.state, states(approved)) == (State.SCHEDULED, {})
    take_back(approved)
    work(nursery, approved)
    assert (approved.state, states(approved), mail.copies()) == (State.DRAFT, {}, {})


@pytest.mark.parametrize(("point", "planned"), [("planned:1", {}), ("begun:1", {"pending": READERS})])
def test_a_worker_that_dies_after_it_refuses_the_undo_and_everybody_gets_one(
    approved: Issue, nursery: lane_processes.Nursery, mail: smtp_server.Server, point: str, planned: dict[str, int]
) -> None:
    work(nursery, approved, crash_at=point)
    assert states(approved) == planned
    with pytest.raises(approval.NotAllowed):
        take_back(approved)
    work(nursery, approved)
    check_contract(approved, mail, kills=0)


@pytest.mark.parametrize("again", [False, True], ids=["taken back", "and approved for later"])
def test_a_worker_that_sleeps_through_the_undo_sends_nothing(
    approved: Issue, nursery: lane_processes.Nursery, mail: smtp_server.Server, again: bool
) -> None:
    """It had seen that the issue is due; when it wakes, the row says otherwise."""
    sleeper = nursery.start(issue_id=approved.pk, crash_at="due:1:sleep", until_closed=True)
    stages.wait(sleeper.is_asleep, "the worker to sleep", 20)
    take_back(approved)
    if again:
        later = timezone.now() + timedelta(hours=1)
        Issue.objects.filter(pk=approved.pk).update(state=State.SCHEDULED, scheduled_for=later)
    sleeper.wake()
    sleeper.wait()
    approved.refresh_from_db()
    assert approved.state == (State.SCHEDULED if again else State.DRAFT)
    assert (states(approved), mail.copies()) == ({}, {})


# Copies come back in transactions of seven: the first is undone, the second is undone; then a lane dies on the way.
@pytest.mark.parametrize("point", ["requeued:1", "requeued:2", "claimed:1", "attempted:1", "answered:3", "settled:1"])
def test_a_worker_that_dies_in_a_rest_gives_nobody_two(
    cancelled: Issue, nursery: lane_processes.Nursery, mail: smtp_server.Server, point: str
) -> None:
    rest.send(issue=cancelled, actor=None, now=timezone.now())
    work(nursery, cancelled, crash_at=point)
    assert cancelled.state == State.SENDING
    recover(cancelled)
    work(nursery, cancelled)
    check_contract(cancelled, mail, kills=2)
