"""What a "no such mailbox" on our own wire does: the copy is rejected, and the address is not mailed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from digests import refusals
from digests.feedback import processing
from digests.models import Delivery, DeliveryEvent, Issue
from digests.sending import claims, closing, lanes, outcomes, sweeper
from digests.sending.tests.conftest import ScriptedTransport, accepted, states
from postal import config
from postal.transports.base import Copy, Outcome, Phase
from subscribers.models import Subscriber, Subscription, Suppression
from tests.faults import smtp_server
from tests.table import rows

pytestmark = pytest.mark.django_db

Sending = Callable[[int], Issue]
Kind, State = DeliveryEvent.Kind, Delivery.State
NO_SUCH_USER = "550 5.1.1 Recipient address rejected: User unknown"


@pytest.fixture(autouse=True)
def clear_counts() -> Iterator[None]:
    """What is known of an issue outlives a test's database otherwise."""
    refusals._counts.clear()
    yield
    refusals._counts.clear()


def gone(copy: Copy) -> Outcome:
    return Outcome(copy.delivery_id, "rejected", Phase.RCPT, "User unknown", "550 5.1.1", is_gone=True)


def gone_at(*numbers: int) -> Callable[[Copy], Outcome]:
    """The copies of these numbers, in the order in which they leave, are refused; the others are accepted."""
    seen = iter(range(1_000_000))
    return lambda copy: gone(copy) if next(seen) in numbers else accepted(copy)


def run(issue: Issue) -> Issue:
    lanes.run(issue_id=issue.pk, lane=0)
    issue.refresh_from_db()
    return issue


def move(issue: Issue, count: int, domain: str) -> None:
    """Give the first readers of the issue mailboxes at another domain."""
    first = issue.deliveries.order_by("pk").values_list("subscriber_id", flat=True)[:count]
    for pk in list(first):
        Subscriber.objects.filter(pk=pk).update(address=f"r{pk}@{domain}", address_key=f"r{pk}@{domain}")


# --- A real server -------------------------------------------------------------------------------


@rows(
    ("reply", "left"),
    [(NO_SUCH_USER, 1), ("550 5.7.1 Spam", 2), ("450 4.1.1 User unknown", 2), ("552 5.2.2 Mailbox full", 2)],
)
def test_only_a_reader_who_is_gone_is_missing_from_the_next_audience(
    sending: Sending, settings: LazySettings, reply: str, left: int
) -> None:
    issue = sending(2)
    address = issue.deliveries.earliest("pk").subscriber.address  # type: ignore[union-attr]  # nobody was erased
    settings.EMAIL_TRANSPORT = "smtp"
    with smtp_server.running({"rules": [{"at": "RCPT", "match": address, "do": "reply", "reply": reply}]}) as server:
        settings.RELAYS = []
        settings.SMTP = config.MailServer("127.0.0.1", server.port)
        run(issue)
    assert Suppression.objects.filter(reason=Suppression.Reason.HARD_BOUNCE).count() == 2 - left
    assert Subscription.objects.all().mailable(now=timezone.now()).count() == left


# --- When it is believed -------------------------------------------------------------------------


def test_the_address_is_suppressed_by_the_time_the_issue_is_sent(
    sending: Sending, transport: ScriptedTransport
) -> None:
    transport.verdict = gone_at(0)
    issue = run(sending(2))
    assert (issue.state, states(issue)) == (Issue.State.SENT, {"rejected": 1, "accepted": 1})
    assert Suppression.objects.get().reason == Suppression.Reason.HARD_BOUNCE
    event = DeliveryEvent.objects.get()
    assert (event.provider, event.kind, event.about_mailbox) == ("smtp", Kind.HARD_BOUNCE, True)
    assert event.settled_at is not None


def test_everybody_of_a_handful_may_be_gone(sending: Sending, transport: ScriptedTransport) -> None:
    transport.verdict = gone
    run(sending(refusals.FEW - 1))
    assert Suppression.objects.count() == refusals.FEW - 1


def test_a_server_that_calls_everybody_gone_is_not_believed(sending: Sending, transport: ScriptedTransport) -> None:
    """A list too small for the breaker."""
    transport.verdict = gone
    issue = run(sending(15))
    assert states(issue) == {"rejected": 15}
    assert not Suppression.objects.exists()
    events = DeliveryEvent.objects.values_list("kind", "gave_up", "about_mailbox", "description").distinct()
    assert list(events) == [(Kind.SOFT_BOUNCE, True, False, refusals.NOT_BELIEVED)]
    assert not refusals.open_events(issue_id=issue.pk).exists()


def test_what_the_breaker_stops_is_not_believed_either(sending: Sending, transport: ScriptedTransport) -> None:
    """Not even after somebody resumes the issue, and the server is sane again. The row spans two batches."""
    issue = sending(300)
    transport.verdict = gone_at(*range(90, 110))
    assert run(issue).state == Issue.State.PAUSED
    transport.verdict = accepted
    Issue.objects.filter(pk=issue.pk).update(state=Issue.State.SENDING)
    assert run(issue).state == Issue.State.SENT
    processing.settle(now=timezone.now() + refusals.WAIT)
    assert states(issue) == {"rejected": 20, "accepted": 280}
    assert not Suppression.objects.exists()


def test_refusals_that_other_lanes_got_meanwhile_are_not_believed_either(sending: Sending) -> None:
    issue = sending(20)
    Issue.objects.filter(pk=issue.pk).update(state=Issue.State.PAUSED)
    half_sent(issue, 20)
    event = DeliveryEvent.objects.get()
    assert (event.kind, event.about_mailbox) == (Kind.SOFT_BOUNCE, False)


def test_a_domain_that_calls_its_readers_gone_is_not_believed(sending: Sending, transport: ScriptedTransport) -> None:
    """As a large provider once did for hours, to a part of its readers, while all others were fine."""
    issue = sending(120)
    move(issue, 20, "mad.example")
    transport.verdict = gone_at(0, 3, 6, 9, 12, 15, 50)
    run(issue)
    suppressed = Suppression.objects.get().address_hash
    assert not Subscriber.objects.get(address_hash=suppressed).address_key.endswith("@mad.example")


# --- While an issue is being sent ----------------------------------------------------------------


def half_sent(issue: Issue, settled: int) -> Delivery:
    """Settle the given number of copies of the issue, the first of them with a refusal; return that one."""
    batch = claims.claim(issue_id=issue.pk, after=0, limit=settled)
    assert batch is not None
    issue.deliveries.filter(pk__in=batch.ids).update(state=State.ATTEMPTING, attempted_at=timezone.now())
    copies = [Copy(pk, "", "", "") for pk in batch.ids]
    results = [gone(copies[0]), *map(accepted, copies[1:])]
    assert outcomes.settle(batches=[batch], outcomes=results, tripped=False) == settled
    return issue.deliveries.get(pk=batch.ids[0])


@pytest.mark.parametrize(("settled", "suppressed"), [(refusals.LEAST, 1), (refusals.LEAST - 1, 0)])
def test_a_long_issue_is_not_waited_for(sending: Sending, settled: int, suppressed: int) -> None:
    half_sent(sending(150), settled)
    now = timezone.now()
    processing.settle(now=now + refusals.WAIT - timedelta(seconds=5))
    assert not Suppression.objects.exists(), "the breaker may still stop it"
    processing.settle(now=now + refusals.WAIT + timedelta(seconds=5))
    assert Suppression.objects.count() == suppressed


def test_a_lane_that_dies_before_it_closes_the_issue_leaves_it_to_the_clock(sending: Sending) -> None:
    issue = sending(10)
    half_sent(issue, 10)
    assert not Suppression.objects.exists()
    sweeper.wake(issue_id=issue.pk, now=timezone.now())
    issue.refresh_from_db()
    assert (issue.state, Suppression.objects.count()) == (Issue.State.SENT, 1)


def test_a_result_that_is_written_twice_is_reported_once(sending: Sending, transport: ScriptedTransport) -> None:
    issue = sending(10)
    copy = half_sent(issue, 10)
    Delivery.objects.filter(pk=copy.pk).update(state=State.UNCERTAIN)
    batch = claims.Batch(issue_id=issue.pk, ids=(copy.pk,), fence=copy.fence)
    outcomes.settle(batches=[batch], outcomes=[gone(Copy(copy.pk, "", "", ""))], tripped=False)
    assert DeliveryEvent.objects.count() == 1


def test_a_result_under_an_old_fence_tells_nothing(sending: Sending) -> None:
    issue = sending(2)
    batch = claims.claim(issue_id=issue.pk, after=0, limit=2)
    assert batch is not None
    issue.deliveries.update(state=State.ATTEMPTING, fence=batch.fence + 1)
    outcomes.settle(batches=[batch], outcomes=[gone(Copy(batch.ids[0], "", "", ""))], tripped=False)
    assert not DeliveryEvent.objects.exists()


def test_a_large_number_of_refusals_holds_up_no_closing(
    sending: Sending, transport: ScriptedTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes longer is due at once, and a worker goes on."""
    monkeypatch.setattr(processing, "REFUSALS_SECONDS", -1.0)
    hints: list[Any] = []
    monkeypatch.setattr(processing, "wake_up", lambda: hints.append(1))
    transport.verdict = gone_at(0)
    assert run(sending(6)).state == Issue.State.SENT
    assert (hints, Suppression.objects.count()) == ([1], 0)
    processing.settle(now=timezone.now())
    assert Suppression.objects.count() == 1


def test_closing_an_issue_without_refusals_asks_once(
    sending: Sending, transport: ScriptedTransport, django_assert_max_num_queries: Any
) -> None:
    issue = run(sending(3))
    with django_assert_max_num_queries(5):
        closing.close(issue_id=issue.pk, now=timezone.now())
