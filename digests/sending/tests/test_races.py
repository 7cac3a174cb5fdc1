"""Two hands at once, on real connections: nobody is mailed twice, or after having left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import close_old_connections, connection, transaction
from django.utils import timezone

from digests import approval, restored, uncertain
from digests.models import Delivery, Issue
from digests.sending import attempts, audience, claims, closing, lanes, merge, preparing
from digests.sending.tests.conftest import ScriptedTransport, expire_leases, frozen_issue, states, subscribe
from postal.transports.base import Copy
from subscribers import consent, signup, suppression
from subscribers.models import Newsletter, Subscriber, Subscription, Suppression

pytestmark = [pytest.mark.django_db(transaction=True)]

Start = Callable[[int], Issue]


def in_thread(work: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        close_old_connections()
        try:
            return work()
        finally:
            connection.close()

    return run


def test_two_lanes_share_the_readers(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(300)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda lane: in_thread(lambda: lanes.run(issue_id=issue.pk, lane=lane))(), range(4)))
    recipients = [copy.recipient for copy in transport.taken]
    assert len(recipients) == len(set(recipients)) == 300
    assert states(issue) == {"accepted": 300}


def test_a_lane_runs_in_one_task_at_a_time(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(60)
    inside, go = threading.Event(), threading.Event()

    def hold(_copies: object) -> None:
        inside.set()
        assert go.wait(10)

    transport.before = hold
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(in_thread(lambda: lanes.run(issue_id=issue.pk, lane=0)))
        assert inside.wait(10)
        assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.BUSY
        go.set()
        first.result(20)
    assert len(transport.taken) == 60


@pytest.mark.parametrize("other", ["lane", "issue"])
def test_only_a_lane_of_the_same_issue_is_the_same_lane(
    sending: Start, transport: ScriptedTransport, other: str
) -> None:
    issue, next_one = sending(1), sending(1)
    ended: list[lanes.Ending] = []

    def run() -> lanes.Ending:
        return lanes.run(issue_id=issue.pk, lane=1) if other == "lane" else lanes.run(issue_id=next_one.pk, lane=0)

    def beside(_copies: object) -> None:
        transport.before = lambda _copies: None
        with ThreadPoolExecutor(1) as pool:
            ended.append(pool.submit(in_thread(run)).result(10))

    transport.before = beside
    lanes.run(issue_id=issue.pk, lane=0)
    assert ended == [lanes.Ending.IDLE]


def attempt(issue: Issue) -> list[Copy]:
    batch = claims.claim(issue_id=issue.pk, after=0, limit=10)
    assert batch is not None
    merger = merge.Merger(Issue.objects.select_related("newsletter", "snapshot").get(pk=issue.pk), needs="payload")
    return attempts.record_attempts(batch=batch, merger=merger, lease_seconds=60)


def unsubscribe(reader: Subscription) -> None:
    evidence = consent.Evidence(source="one_click")
    signup.unsubscribe(subscription=reader, evidence=evidence, reason="one_click", now=timezone.now())


def suppress(reader: Subscription) -> None:
    suppression.suppress(
        address_key=reader.subscriber.address_key, reason=Suppression.Reason.COMPLAINT, actor=None, now=timezone.now()
    )


@pytest.mark.parametrize("act", [unsubscribe, suppress])
def test_no_attempt_follows_an_act_of_the_reader(sending: Start, act: Callable[[Subscription], None]) -> None:
    """The act holds the reader's row while the engine records the attempt: the engine waits, and sees it."""
    issue = sending(1)
    reader = Subscription.objects.select_related("subscriber", "newsletter").get()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            act(reader)
            attempted = pool.submit(in_thread(lambda: attempt(issue)))
            with pytest.raises(TimeoutError):
                attempted.result(0.7)
        assert attempted.result(10) == []
    assert states(issue) == {"suppressed": 1}


def test_an_act_during_the_attempt_waits_for_it(sending: Start) -> None:
    issue = sending(1)
    reader = Subscription.objects.select_related("subscriber", "newsletter").get()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert len(attempt(issue)) == 1
            done = pool.submit(in_thread(lambda: unsubscribe(reader)))
            with pytest.raises(TimeoutError):
                done.result(0.7)
        done.result(10)
    assert Delivery.objects.get().state == "attempting"


def test_a_pause_during_the_attempt_waits_for_it(sending: Start) -> None:
    issue = sending(1)

    def pause() -> int:
        return Issue.objects.filter(pk=issue.pk, state="sending").update(state="paused")

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert len(attempt(issue)) == 1
            done = pool.submit(in_thread(pause))
            with pytest.raises(TimeoutError):
                done.result(0.7)
        assert done.result(10) == 1


def test_a_reader_who_is_deleted_during_a_plan_leaves_a_copy_without_a_reader(newsletter: Newsletter) -> None:
    """No foreign key watches over it: the deletion waits for the plan, and sees its copies."""
    subscribe(newsletter, 1)
    issue = frozen_issue(newsletter)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            audience.plan(issue=issue, now=timezone.now())
            gone = pool.submit(in_thread(lambda: Subscriber.objects.get().delete()))
            with pytest.raises(TimeoutError):
                gone.result(0.7)
        gone.result(10)
    assert Delivery.objects.get().subscriber_id is None


@pytest.mark.parametrize("waiting", ["pending", "deferred"])
def test_a_claim_neither_waits_for_another_nor_takes_its_rows(sending: Start, waiting: str) -> None:
    issue = sending(4)
    issue.deliveries.update(state=waiting, due_at=timezone.now() - timedelta(minutes=1))

    def claim() -> set[int]:
        batch = claims.claim(issue_id=issue.pk, after=0, limit=2)
        return set(batch.ids) if batch else set()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first = claim()
            second = pool.submit(in_thread(claim)).result(5)
        assert len(first) == len(second) == 2
        assert not first & second


def test_a_lane_that_lost_its_rows_holds_up_no_reader(sending: Start) -> None:
    """Their copies are another lane's by now, and what they do is no business of this one."""
    issue = sending(2)
    batch = claims.claim(issue_id=issue.pk, after=0, limit=10)
    assert batch is not None
    taken, attempted = issue.deliveries.order_by("pk")
    issue.deliveries.filter(pk=taken.pk).update(fence=batch.fence + 1)
    issue.deliveries.filter(pk=attempted.pk).update(state="attempting")
    merger = merge.Merger(Issue.objects.select_related("newsletter", "snapshot").get(pk=issue.pk), needs="payload")

    def act() -> int:
        with transaction.atomic():
            return len(Subscriber.objects.select_for_update(nowait=True))

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        assert attempts.record_attempts(batch=batch, merger=merger, lease_seconds=60) == []
        assert pool.submit(in_thread(act)).result(5) == 2


def send_again(issue: Issue) -> None:
    uncertain.resend(issue=issue, deliveries=None, actor=None, now=timezone.now())


def call_accepted(issue: Issue) -> None:
    uncertain.accept(issue=issue, deliveries=None, actor=None, now=timezone.now())


def close(issue: Issue) -> None:
    closing.close(issue_id=issue.pk, now=timezone.now())


@pytest.mark.parametrize(
    ("first", "second", "state", "copies"),
    [
        (send_again, close, "sending", {"pending": 1}),
        (close, send_again, "sending", {"pending": 1}),
        (call_accepted, close, "sent", {"accepted": 1}),
        (close, call_accepted, "sent", {"accepted": 1}),
    ],
)
def test_the_end_of_an_issue_and_what_a_person_decides_of_its_last_copy_wait_for_each_other(
    sending: Start, first: Callable[[Issue], None], second: Callable[[Issue], None], state: str, copies: dict[str, int]
) -> None:
    """Else an issue would be closed over a copy that is about to leave, or stay open for nothing."""
    issue = sending(1)
    issue.deliveries.update(state="uncertain")
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first(issue)
            waits = pool.submit(in_thread(lambda: second(issue)))
            with pytest.raises(TimeoutError):
                waits.result(0.2)
        waits.result(10)
    issue.refresh_from_db()
    assert (issue.state, states(issue)) == (state, copies)


@pytest.mark.parametrize("decide", [call_accepted, send_again])
def test_two_who_decide_at_once_never_wait_for_each_other(sending: Start, decide: Callable[[Issue], None]) -> None:
    """The one that waits for the issue holds none of its copies yet: the one that has it is about to write them."""
    issue = sending(1)
    issue.deliveries.update(state="uncertain")
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Issue.objects.select_for_update().get(pk=issue.pk)
            waits = pool.submit(in_thread(lambda: decide(issue)))
            with pytest.raises(TimeoutError):
                waits.result(0.2)
            assert len(issue.deliveries.select_for_update(nowait=True)) == 1
        waits.result(10)


def test_a_sweep_leaves_alone_what_was_taken_up_since_it_looked(sending: Start) -> None:
    """Of a copy in the hands of a lane nobody else may say what became of it."""
    issue = sending(2)
    approval.cancel(issue=issue, reason="No.", actor=None, now=timezone.now())
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            taken = issue.deliveries.filter(pk=issue.deliveries.earliest("pk").pk)
            taken.update(state="attempting", lease_until=timezone.now() + timedelta(minutes=1))
            swept = pool.submit(in_thread(lambda: closing.sweep_cancelled(issue_id=issue.pk)))
            with pytest.raises(TimeoutError):
                swept.result(0.2)
        assert swept.result(10) == 1
    assert states(issue) == {"attempting": 1, "cancelled": 1}


def test_an_issue_begins_in_one_place(newsletter: Newsletter) -> None:
    subscribe(newsletter, 1)
    issue = frozen_issue(newsletter, state=Issue.State.PREPARING)

    def prepare() -> bool:
        return preparing.prepare(issue_id=issue.pk, now=timezone.now())

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert prepare()
            second = pool.submit(in_thread(prepare))
            with pytest.raises(TimeoutError):
                second.result(0.2)
        assert second.result(10) is False
    assert states(issue) == {"pending": 1}


def test_an_approval_does_not_bring_back_what_was_cancelled_meanwhile(newsletter: Newsletter) -> None:
    issue = frozen_issue(newsletter, state=Issue.State.DRAFT)

    def approve() -> None:
        approval.approve(issue=Issue.objects.get(pk=issue.pk), actor=None, now=timezone.now())

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            approval.cancel(issue=issue, reason="No.", actor=None, now=timezone.now())
            late = pool.submit(in_thread(approve))
            with pytest.raises(TimeoutError):
                late.result(0.2)
        with pytest.raises(approval.NotAllowed, match="this issue is cancelled"):
            late.result(10)
    issue.refresh_from_db()
    assert issue.state == Issue.State.CANCELLED


def test_a_recovery_waits_for_nobody(sending: Start) -> None:
    """A lane may be writing the result of a copy whose lease has just run out."""
    issue = sending(2)
    batch = claims.claim(issue_id=issue.pk, after=0, limit=2)
    assert batch is not None
    expire_leases(issue, timezone.now() - timedelta(hours=1))
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        Delivery.objects.select_for_update().get(pk=batch.ids[0])
        assert pool.submit(in_thread(claims.recover)).result(5) == 1
    assert states(issue) == {"claimed": 1, "pending": 1}


def test_what_is_cancelled_while_a_restore_is_dealt_with_stays_cancelled(sending: Start) -> None:
    issue = sending(1)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            approval.cancel(issue=issue, reason="No.", actor=None, now=timezone.now())
            held = pool.submit(in_thread(lambda: restored.hold(now=timezone.now())))
            with pytest.raises(TimeoutError):
                held.result(0.5)
        held.result(10)
    issue.refresh_from_db()
    assert issue.state == Issue.State.CANCELLED


def test_two_approvals_at_once_are_one(newsletter: Newsletter) -> None:
    issue = frozen_issue(newsletter, state=Issue.State.DRAFT)
    now = timezone.now()
    both = threading.Barrier(2)

    def approve() -> str:
        both.wait(5)
        try:
            approval.approve(issue=Issue.objects.get(pk=issue.pk), actor=None, now=now)
        except approval.NotAllowed as refusal:
            return str(refusal)
        return "approved"

    with ThreadPoolExecutor(2) as pool:
        answers = [future.result(20) for future in [pool.submit(in_thread(approve)) for _ in range(2)]]
    assert sorted(answers) == ["Only a draft can be approved; this issue is scheduled.", "approved"]
