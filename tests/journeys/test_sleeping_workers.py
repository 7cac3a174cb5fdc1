"""SIGSTOP in the middle of an issue: the lane is taken over, and who wakes up an age later harms nobody."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from digests import approval, rest, uncertain
from digests.models import Issue
from digests.sending import sweeper
from digests.sending.tests.conftest import newsletter, sending, states
from tests.faults import lane_processes, smtp_server
from tests.journeys import stage as stages

__all__ = ["newsletter", "sending"]

READERS, IN_FLIGHT, LEASE = 40, 10, 2
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

Start = Callable[[int], Issue]


@pytest.fixture(scope="module")
def nursery(mail: smtp_server.Server, django_db_setup: None) -> Iterator[lane_processes.Nursery]:
    with stages.nursery(mail, in_flight=IN_FLIGHT, lease_seconds=LEASE) as nursery:
        yield nursery


@pytest.fixture
def asleep(
    sending: Start, mail: smtp_server.Server, nursery: lane_processes.Nursery
) -> tuple[Issue, lane_processes.Lane]:
    """A lane that was stopped with copies on the wire: the server goes on, and its answers wait for the sleeper."""
    issue = sending(READERS)
    mail.begin_again({})
    mail.make_room(3)
    lane = nursery.start(issue_id=issue.pk)
    stages.wait(lambda: len(mail.accepted) == 3, "three copies", 20)
    # It waits for the next answer then.
    time.sleep(0.3)
    os.kill(lane.pid, signal.SIGSTOP)
    mail.make_room(float("inf"))
    return issue, lane


def take_over(issue: Issue, nursery: lane_processes.Nursery) -> float:
    """What other workers and the clock do meanwhile; return how long it took until nothing was left to send."""

    def is_sent() -> bool:
        nursery.start(issue_id=issue.pk).wait()
        sweeper.sweep(now=timezone.now())
        sweeper.wake(issue_id=issue.pk, now=timezone.now())
        return not set(states(issue)) & {"pending", "claimed", "attempting", "deferred"}

    return stages.wait(is_sent, "the others to be sent", LEASE + 20)


def test_the_lane_is_taken_over_and_the_sleeper_sends_nothing_more(
    asleep: tuple[Issue, lane_processes.Lane], mail: smtp_server.Server, nursery: lane_processes.Nursery
) -> None:
    issue, sleeper = asleep
    take_over(issue, nursery)
    assert 0 < states(issue)["uncertain"] <= IN_FLIGHT
    assert max(mail.copies().values()) == 1

    # A person sends again what certainly did not arrive; the sleeper still has these copies in its hands.
    got_none = issue.deliveries.filter(state="uncertain").exclude(subscriber__address__in=mail.copies())
    assert uncertain.resend(
        issue=issue, deliveries=list(got_none.values_list("pk", flat=True)), actor=None, now=timezone.now()
    )
    take_over(issue, nursery)

    sleeper.wake()
    sleeper.wait()
    assert mail.copies() == Counter(issue.deliveries.values_list("subscriber__address", flat=True))
    # What had been answered in its sleep is on record in the end.
    issue.refresh_from_db()
    assert (states(issue), issue.state) == ({"accepted": READERS}, Issue.State.SENT)


def test_a_sleeper_whom_nobody_missed_goes_on_only_with_what_is_still_its_own(
    asleep: tuple[Issue, lane_processes.Lane], mail: smtp_server.Server, nursery: lane_processes.Nursery
) -> None:
    """No other worker was there: what it had on the wire is settled, what it had not begun is put off."""
    issue, sleeper = asleep
    time.sleep(LEASE + 0.5)
    # On a slow disk the lane's last statement may end after it was stopped.
    stages.wait(lambda: not issue.deliveries.filter(lease_until__gte=Now()).exists(), "the leases to run out", 20)
    sleeper.wake()
    sleeper.wait()
    assert len(mail.accepted) <= READERS - 2
    assert "uncertain" not in states(issue)

    issue.deliveries.filter(state="deferred").update(due_at=timezone.now())
    take_over(issue, nursery)
    assert mail.copies() == Counter(issue.deliveries.values_list("subscriber__address", flat=True))
    assert states(issue) == {"accepted": READERS}


def test_a_sleeper_that_wakes_in_the_rest_of_its_issue_sends_nothing_more(
    asleep: tuple[Issue, lane_processes.Lane], mail: smtp_server.Server, nursery: lane_processes.Nursery
) -> None:
    """Its issue was cancelled, and its rest sent by others, while it had copies in its hands."""
    issue, sleeper = asleep
    approval.cancel(issue=issue, reason="A wrong number.", actor=None, now=timezone.now())
    with pytest.raises(rest.NotAllowed):
        rest.send(issue=issue, actor=None, now=timezone.now())

    def is_over() -> bool:
        sweeper.sweep(now=timezone.now())
        sweeper.wake(issue_id=issue.pk, now=timezone.now())
        issue.refresh_from_db()
        return issue.finished_at is not None

    stages.wait(is_over, "the lease of the sleeper to end", LEASE + 20)
    rest.send(issue=issue, actor=None, now=timezone.now())
    take_over(issue, nursery)
    sleeper.wake()
    sleeper.wait()

    readers = set(issue.deliveries.values_list("subscriber__address", flat=True))
    listed = set(issue.deliveries.filter(state="uncertain").values_list("subscriber__address", flat=True))
    assert max(mail.copies().values()) == 1
    assert readers - mail.copies().keys() <= listed
    assert states(issue)["accepted"] + len(listed) == READERS
