"""A lane brings every copy to an outcome, holds when asked to, and never sends what it must not."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from digests import approval
from digests.models import Delivery, Issue
from digests.sending import claims, draining, lanes, merge, tasks
from digests.sending.tests.conftest import ScriptedTransport, accepted, expire_leases, refuse, states
from mailkit import addresses
from postal import transports
from postal.transports.base import Copy, Outcome, Phase
from subscribers import suppression
from subscribers.models import Subscription
from tests.table import rows

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]


def test_every_reader_gets_one_copy_and_the_issue_closes(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(120)
    lanes.run(issue_id=issue.pk, lane=0)
    recipients = [copy.recipient for copy in transport.taken]
    assert len(recipients) == len(set(recipients)) == 120
    issue.refresh_from_db()
    assert (issue.state, states(issue)) == (Issue.State.SENT, {"accepted": 120})


def test_a_second_run_finds_nothing(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(3)
    for _ in range(5):
        lanes.run(issue_id=issue.pk, lane=0)
    assert len(transport.taken) == 3


def test_no_more_than_n_copies_are_in_flight(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(130)
    held: list[int] = []
    transport.before = lambda _copies: held.append(issue.deliveries.filter(state="attempting").count())
    lanes.run(issue_id=issue.pk, lane=0)
    assert held == [50, 50, 30]


class Greedy(ScriptedTransport):
    """Takes further copies at any time, and has one outcome after the other, as a transport with free sessions."""

    def __init__(self, issue: Issue) -> None:
        super().__init__()
        self.issue = issue
        self.in_flight: list[int] = []
        self.left: list[int] = []

    def ready(self) -> int:
        return 1_000

    def results(self, timeout: float) -> list[Outcome]:
        self.in_flight.append(self.issue.deliveries.filter(state="attempting").count())
        outcomes = [self.outcome()] if self.at_hand else []
        self.left += [len(self.at_hand)] * len(outcomes)
        return outcomes


def use(monkeypatch: pytest.MonkeyPatch, transport: ScriptedTransport) -> None:
    monkeypatch.setattr(transports, "for_settings", lambda **_: transport)


def test_the_next_copies_are_attempted_while_others_are_on_the_wire(
    sending: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = sending(200)
    greedy = Greedy(issue)
    use(monkeypatch, greedy)
    lanes.run(issue_id=issue.pk, lane=0)
    issue.refresh_from_db()
    assert (issue.state, states(issue)) == (Issue.State.SENT, {"accepted": 200})
    assert max(greedy.in_flight) == 50
    # Until the last ones it never had to wait with nothing at hand.
    assert 0 not in greedy.left[:-1]


def test_results_are_written_while_others_are_on_the_wire(sending: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = sending(200)
    greedy = Greedy(issue)
    written: list[int] = []
    use(monkeypatch, greedy)

    def stumble(copy: Copy) -> Outcome:
        if len(greedy.taken) == 121:
            written.append(issue.deliveries.filter(state="accepted").count())
            raise ZeroDivisionError
        return accepted(copy)

    greedy.verdict = stumble
    with pytest.raises(ZeroDivisionError):
        lanes.run(issue_id=issue.pk, lane=0)
    assert written[0] >= 100
    # What was answered before the stumble is on record too.
    assert states(issue)["accepted"] == 121


class Slow(ScriptedTransport):
    """Has nothing to say for a while; `meanwhile` happens in each second of it."""

    def __init__(self, *meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self.meanwhile = list(meanwhile)

    def results(self, timeout: float) -> list[Outcome]:
        if not self.at_hand or not self.meanwhile:
            return super().results(timeout)
        self.meanwhile.pop(0)()
        return []


def test_leases_are_kept_while_a_server_thinks(sending: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = sending(3)
    recovered: list[int] = []

    def think() -> None:
        expire_leases(issue, timezone.now() - timedelta(hours=1))
        monkeypatch.setattr(time, "monotonic", lambda clock=time.monotonic: clock() + 60)

    use(monkeypatch, Slow(think, lambda: recovered.append(claims.recover())))
    lanes.run(issue_id=issue.pk, lane=0)
    assert recovered == [0]
    assert states(issue) == {"accepted": 3}


def test_the_attempt_is_on_record_before_the_bytes_leave(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(3)

    def check(copies: Sequence[Copy]) -> None:
        rows = Delivery.objects.filter(pk__in=[copy.delivery_id for copy in copies])
        assert set(rows.values_list("state", "attempts")) == {("attempting", 1)}

    transport.before = check
    lanes.run(issue_id=issue.pk, lane=0)
    assert len(transport.taken) == 3


def test_a_pause_takes_hold_with_the_next_batch(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(120)

    def pause(_copies: Sequence[Copy]) -> None:
        Issue.objects.filter(pk=issue.pk).update(state=Issue.State.PAUSED)

    transport.before = pause
    assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.STOPPED
    assert states(issue) == {"accepted": 50, "pending": 70}


def test_a_cancelled_issue_keeps_what_left_and_sends_no_more(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(120)

    def cancel(_copies: Sequence[Copy]) -> None:
        approval.cancel(issue=issue, reason="Wrong story.", actor=None, now=timezone.now())

    transport.before = cancel
    lanes.run(issue_id=issue.pk, lane=0)
    issue.refresh_from_db()
    assert issue.state == Issue.State.CANCELLED
    assert len(transport.taken) == 50


def leave(reader: Subscription) -> None:
    Subscription.objects.filter(pk=reader.pk).update(state=Subscription.State.UNSUBSCRIBED)


def be_suppressed(reader: Subscription) -> None:
    key = addresses.normalise(reader.subscriber.address).key
    suppression.suppress(address_key=key, reason="complaint", actor=None, now=timezone.now())  # type: ignore[arg-type]  # the value of the choice


def be_erased(reader: Subscription) -> None:
    reader.subscriber.delete()


def change_cadence(reader: Subscription) -> None:
    Subscription.objects.filter(pk=reader.pk).update(cadence="weekly")


@rows(
    ("act", "reason"),
    [
        (leave, "unsubscribed"),
        (be_suppressed, "suppressed"),
        (be_erased, "erased"),
        (change_cadence, "cadence_changed"),
    ],
)
def test_who_must_not_be_mailed_any_more_is_left_out(
    sending: Start, transport: ScriptedTransport, act: Callable[[Subscription], None], reason: str
) -> None:
    issue = sending(3)
    reader = Subscription.objects.order_by("pk").last()
    assert reader is not None
    address = reader.subscriber.address
    act(reader)
    lanes.run(issue_id=issue.pk, lane=0)
    assert address not in {copy.recipient for copy in transport.taken}
    assert issue.deliveries.get(state="suppressed").reason == reason
    issue.refresh_from_db()
    assert issue.state == Issue.State.SENT


def test_one_copy_that_does_not_render_stops_nobody_else(
    sending: Start, transport: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = sending(5)
    poison = issue.deliveries.order_by("pk")[2].pk
    honest = merge.Merger.values

    def values(self: merge.Merger, row: merge.Row) -> dict[str, str]:
        return {} if row.delivery_id == poison else honest(self, row)

    monkeypatch.setattr(merge.Merger, "values", values)
    lanes.run(issue_id=issue.pk, lane=0)
    issue.refresh_from_db()
    assert states(issue) == {"accepted": 4, "render_failed": 1}
    assert issue.state == Issue.State.SENT_WITH_EXCEPTIONS
    assert issue.reason_sentence == "1 rendering failed"


def test_a_4xx_is_deferred_with_an_hour_and_retried(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(2)
    transport.verdict = refuse("deferred", Phase.RCPT)
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"deferred": 2}
    issue.deliveries.update(due_at=timezone.now() - timedelta(hours=1))
    transport.verdict = accepted
    lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"accepted": 2}
    assert set(issue.deliveries.values_list("attempts", flat=True)) == {2}


def test_a_wish_of_the_server_uses_up_no_attempt(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(1)
    transport.verdict = refuse("deferred", Phase.MAIL, retry_after=900)
    lanes.run(issue_id=issue.pk, lane=0)
    copy = issue.deliveries.get()
    assert copy.attempts == 0
    assert copy.due_at is not None
    assert 890 < (copy.due_at - timezone.now()).total_seconds() < 1090


def test_a_refusal_of_one_mailbox_leaves_the_others(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(10)
    bad = issue.deliveries.order_by("pk")[4].pk
    refused = refuse("rejected", Phase.RCPT)
    transport.verdict = lambda copy: refused(copy) if copy.delivery_id == bad else accepted(copy)
    lanes.run(issue_id=issue.pk, lane=0)
    issue.refresh_from_db()
    assert states(issue) == {"accepted": 9, "rejected": 1}
    assert issue.state == Issue.State.SENT


def test_an_unreachable_server_ends_the_lane_after_one_batch(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(120)
    transport.verdict = refuse("deferred", Phase.CONNECT)
    assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.AWAY
    assert states(issue) == {"deferred": 50, "pending": 70}


def test_uncertain_is_listed_and_never_sent_again(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(4)
    lost = issue.deliveries.order_by("pk")[0].pk
    unknown = refuse("uncertain", Phase.FINAL)
    transport.verdict = lambda copy: unknown(copy) if copy.delivery_id == lost else accepted(copy)
    for _ in range(3):
        lanes.run(issue_id=issue.pk, lane=0)
    issue.refresh_from_db()
    assert issue.state == Issue.State.SENT_WITH_EXCEPTIONS
    assert issue.reason_sentence == "1 uncertain"
    assert len(transport.taken) == 4


def test_the_lane_of_a_worker_that_stops_ends_after_its_batch(
    sending: Start, transport: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = sending(120)
    monkeypatch.setattr(draining, "asked", lambda: bool(transport.taken))
    assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.STOPPED
    assert states(issue) == {"accepted": 50, "pending": 70}


def test_an_outcome_is_wanted_for_every_copy(sending: Start, transport: ScriptedTransport) -> None:
    """A transport that breaks in the middle leaves rows that the lease makes uncertain, not lost ones."""
    issue = sending(3)

    def breaks(copy: Copy) -> Outcome:
        raise RuntimeError("a fault in the program")

    transport.verdict = breaks
    with pytest.raises(RuntimeError):
        lanes.run(issue_id=issue.pk, lane=0)
    assert states(issue) == {"attempting": 3}


def test_a_sender_that_is_edited_meanwhile_changes_no_copy(sending: Start, transport: ScriptedTransport) -> None:
    issue = sending(1)
    issue.newsletter.sender_address = "other@elsewhere.example"
    issue.newsletter.save()
    lanes.run(issue_id=issue.pk, lane=0)
    (copy,) = transport.taken
    assert copy.envelope_from == "news@example.com"
    assert b"@example.com>" in (copy.payload or b"")
    assert b"elsewhere" not in (copy.payload or b"")


def test_a_lane_whose_minute_is_over_is_queued_again_and_one_without_work_is_not(
    sending: Start, transport: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = sending(1)
    queued: list[tuple[int, int]] = []
    monkeypatch.setattr(tasks, "hint_lane", lambda *lane: queued.append(lane))
    with monkeypatch.context() as hurry:
        hurry.setattr(settings, "SENDING", replace(settings.SENDING, lane_seconds=0))
        tasks.run_lane(issue.pk, 1)
    assert (queued, transport.taken) == ([(issue.pk, 1)], [])

    tasks.run_lane(issue.pk, 1)
    assert (len(queued), len(transport.taken)) == (1, 1)


@rows("worker_stops", [True, False])
@rows("ending", lanes.Ending)
def test_a_lane_that_was_cut_short_is_queued_again(
    monkeypatch: pytest.MonkeyPatch, ending: lanes.Ending, worker_stops: bool
) -> None:
    queued: list[tuple[int, int]] = []
    monkeypatch.setattr(tasks, "hint_lane", lambda *lane: queued.append(lane))
    monkeypatch.setattr(lanes, "run", lambda **_lane: ending)
    monkeypatch.setattr(lanes, "look_again_in", lambda **_lane: None)
    monkeypatch.setattr(draining, "asked", lambda: worker_stops)
    tasks.run_lane(7, 1)
    cut_short = worker_stops or ending in {lanes.Ending.TIME, lanes.Ending.UNHELD, lanes.Ending.ASLEEP}
    assert queued == ([(7, 1)] if cut_short else [])


@pytest.mark.parametrize("state", [Issue.State.SENDING, Issue.State.PAUSED])
def test_each_lane_is_queued_of_an_issue_that_is_being_sent_and_none_of_another(
    sending: Start, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    issue = sending(1)
    Issue.objects.filter(pk=issue.pk).update(state=state)
    queued: list[tuple[int, int]] = []
    monkeypatch.setattr(tasks, "hint_lane", lambda *lane: queued.append(lane))
    tasks.wake_issue(issue.pk)
    every = [(issue.pk, lane) for lane in range(settings.SENDING.lanes)]
    assert queued == (every if state == Issue.State.SENDING else [])
