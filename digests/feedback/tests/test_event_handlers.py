"""What an event changes, and what it leaves alone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from core.reasons import Reason
from digests import issue_reasons
from digests.feedback import handlers, processing
from digests.models import Delivery, DeliveryEvent, Issue
from digests.tests import copies
from mailkit import addresses
from subscribers import consent, signup, suppression
from subscribers.models import ConsentEvent, Newsletter, Subscriber, Subscription, Suppression

State = Delivery.State
GONE = {"reject_reason": "bounced", "mta_response": "550 5.1.1 no such user"}
POLICY = {"reject_reason": "bounced", "mta_response": "550 5.7.26 DMARC"}

Copy = Callable[..., Delivery]


@pytest.fixture
def reader(newsletter: Newsletter) -> Subscriber:
    return copies.reader(newsletter)


@pytest.fixture
def copy(newsletter: Newsletter, reader: Subscriber) -> Copy:
    """Make the reader's copy of one issue in a given state."""

    def make(state: State, **fields: Any) -> Delivery:
        return copies.copy(copies.issue(newsletter), reader, state, **fields)

    return make


def record(event: Any, now: datetime) -> None:
    processing.record(event=event, provider="Mailgun", now=now)


def state_of(delivery: Delivery) -> str:
    return Delivery.objects.get(pk=delivery.pk).state


def is_suppressed(reader: Subscriber) -> bool:
    return suppression.is_suppressed(reader.address_key)


EVENTS = {
    "delivered": ("delivered", {}),
    "gone": ("bounced", GONE),
    "policy": ("bounced", POLICY),
    "rejected": ("rejected", {"reject_reason": "blocked"}),
    "failed": ("failed", {}),
    "soft": ("deferred", {"mta_response": "421 4.7.0"}),
    "lost": ("bounced", {"reject_reason": "bounced", "mta_response": "550 5.4.4 no route to the domain"}),
    "complaint": ("complained", {}),
    "unsubscribe": ("unsubscribed", {}),
    "open": ("opened", {}),
    "click": ("clicked", {}),
}
FROM_UNCERTAIN = {
    "delivered": State.ACCEPTED,
    "gone": State.REJECTED,
    "policy": State.REJECTED,
    "rejected": State.REJECTED,
    "failed": State.REJECTED,
    "lost": State.REJECTED,
}


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("state", State.values)
def test_only_an_uncertain_copy_changes_its_state(copy: Copy, now: datetime, state: State, name: str) -> None:
    delivery = copy(state)
    kind, fields = EVENTS[name]

    record(copies.event(kind, delivery, **fields), now)

    expected = FROM_UNCERTAIN.get(name, state) if state == State.UNCERTAIN else state
    assert state_of(delivery) == expected


def test_settling_records_when_and_why(copy: Copy, now: datetime) -> None:
    delivery = copy(State.UNCERTAIN)

    record(copies.event("bounced", delivery, **POLICY), now)

    delivery.refresh_from_db()
    assert (delivery.reason, delivery.settled_at) == ("reported_bounced", now)
    assert delivery.reason_sentence == "It was reported as bounced: 550 5.7.26 DMARC"


def test_bounce_then_delivered_keeps_what_came_first(copy: Copy, now: datetime) -> None:
    delivery = copy(State.UNCERTAIN)

    record(copies.event("bounced", delivery, **POLICY), now)
    record(copies.event("delivered", delivery), now)

    assert state_of(delivery) == State.REJECTED
    assert DeliveryEvent.objects.count() == 2


@pytest.mark.parametrize(("minutes", "expected"), [(4, State.REJECTED), (6, State.UNCERTAIN)])
def test_a_providers_clock_may_be_a_little_slow(copy: Copy, now: datetime, minutes: int, expected: State) -> None:
    delivery = copy(State.UNCERTAIN)

    record(copies.event("bounced", delivery, timestamp=copies.LEFT_AT - timedelta(minutes=minutes), **GONE), now)

    assert state_of(delivery) == expected
    assert DeliveryEvent.objects.filter(settled_at=None).exists() == (expected == State.UNCERTAIN)


@pytest.mark.parametrize(
    ("meanwhile", "effect"),
    [(State.ACCEPTED, handlers.Effect.SETTLED), (State.CLAIMED, handlers.Effect.WAITING)],
)
def test_a_copy_that_was_settled_while_its_event_was_read_is_left_as_it_is(
    copy: Copy, now: datetime, meanwhile: State, effect: handlers.Effect
) -> None:
    delivery = copy(State.UNCERTAIN)
    lease = now + timedelta(minutes=2) if meanwhile == State.CLAIMED else None
    Delivery.objects.update(state=meanwhile, reason="other", lease_until=lease)
    row = DeliveryEvent(kind=DeliveryEvent.Kind.HARD_BOUNCE, provider="x", occurred_at=now, description="gone")

    assert handlers.follow(row, delivery, now) is effect

    stored = Delivery.objects.get()
    assert (stored.state, stored.reason) == (meanwhile, "other")


def test_a_bounce_of_an_earlier_attempt_says_nothing_of_this_one(copy: Copy, now: datetime) -> None:
    delivery = copy(State.UNCERTAIN, attempted_at=now)

    record(copies.event("bounced", delivery, timestamp=now - timedelta(hours=1), **POLICY), now)

    assert state_of(delivery) == State.UNCERTAIN


@pytest.mark.parametrize(
    ("fields", "suppressed"),
    [(GONE, True), (POLICY, False), ({"reject_reason": "invalid"}, True), ({"reject_reason": "blocked"}, False)],
)
def test_only_a_mailbox_that_is_gone_is_suppressed(
    copy: Copy, reader: Subscriber, now: datetime, fields: dict[str, str], suppressed: bool
) -> None:
    record(copies.event("bounced", copy(State.ACCEPTED), **fields), now)

    assert is_suppressed(reader) is suppressed


def test_a_suppression_says_who_reported_it_and_no_address(copy: Copy, now: datetime) -> None:
    record(copies.event("bounced", copy(State.ACCEPTED), **GONE), now)

    row = Suppression.objects.get()
    assert (row.reason, row.note) == (Suppression.Reason.HARD_BOUNCE, "reported by mailgun")


def test_a_soft_bounce_suppresses_nobody(copy: Copy, reader: Subscriber, now: datetime) -> None:
    delivery = copy(State.ACCEPTED)

    for _ in range(20):
        record(copies.event("deferred", delivery, mta_response="452 4.2.2 full"), now)

    assert not is_suppressed(reader)


WEEKS = timedelta(weeks=6)


@pytest.mark.parametrize(
    ("name", "state", "reason", "subscription"),
    [
        ("delivered", State.ACCEPTED, None, "confirmed"),
        ("gone", State.REJECTED, "hard_bounce", "confirmed"),
        ("complaint", State.UNCERTAIN, "complaint", "unsubscribed"),
        ("unsubscribe", State.UNCERTAIN, None, "unsubscribed"),
    ],
)
def test_an_event_that_comes_weeks_late_counts_like_any_other(
    copy: Copy, reader: Subscriber, now: datetime, name: str, state: State, reason: str | None, subscription: str
) -> None:
    """It happened soon after the copy left. The provider reports it long after the issue was finished."""
    delivery = copy(State.UNCERTAIN)
    copies.close(delivery.issue)
    kind, fields = EVENTS[name]

    record(copies.event(kind, delivery, **fields), now + WEEKS)

    assert state_of(delivery) == state
    done = state != State.UNCERTAIN
    assert Issue.objects.get().state == (Issue.State.SENT if done else Issue.State.SENT_WITH_EXCEPTIONS)
    assert list(Suppression.objects.values_list("reason", flat=True)) == ([reason] if reason else [])
    assert reader.subscriptions.get().state == subscription
    event = DeliveryEvent.objects.get()
    assert (event.delivery_uuid, event.settled_at) == (delivery.uuid, now + WEEKS)


def test_a_complaint_suppresses_and_unsubscribes(copy: Copy, reader: Subscriber, now: datetime) -> None:
    record(copies.event("complained", copy(State.ACCEPTED)), now)

    assert Suppression.objects.get().reason == Suppression.Reason.COMPLAINT
    assert reader.subscriptions.get().state == Subscription.State.UNSUBSCRIBED
    last = ConsentEvent.objects.order_by("-pk")[0]
    assert (last.kind, last.source, last.basis) == ("withdrawn", "complaint", "reported by mailgun")
    assert consent.verify() is None


def test_an_unsubscribe_ends_only_that_newsletter(copy: Copy, reader: Subscriber, now: datetime) -> None:
    other = Newsletter.objects.create(name="Other", slug="other", description="Other.")
    mine = reader.subscriptions.get()
    unaffected = Subscription.objects.create(
        subscriber=reader, newsletter=other, cadence="daily", state="confirmed", consent_event=mine.consent_event
    )

    record(copies.event("unsubscribed", copy(State.ACCEPTED)), now)

    mine.refresh_from_db()
    unaffected.refresh_from_db()
    assert (mine.state, unaffected.state) == ("unsubscribed", "confirmed")
    assert not is_suppressed(reader)


@pytest.mark.parametrize("kind", ["complained", "unsubscribed"])
def test_leaving_twice_is_leaving_once(copy: Copy, reader: Subscriber, now: datetime, kind: str) -> None:
    delivery = copy(State.ACCEPTED)

    for _ in range(3):
        record(copies.event(kind, delivery), now)

    assert ConsentEvent.objects.filter(kind="withdrawn").count() == 1


@pytest.mark.parametrize(("kind", "fields"), [("complained", {}), ("unsubscribed", {}), ("bounced", GONE)])
def test_an_old_report_does_not_undo_a_newer_wish(
    copy: Copy, reader: Subscriber, now: datetime, kind: str, fields: dict[str, str]
) -> None:
    delivery = copy(State.ACCEPTED)
    reader.subscriptions.update(confirmed_at=now)

    record(copies.event(kind, delivery, timestamp=now - timedelta(days=20), **fields), now)

    assert reader.subscriptions.get().state == Subscription.State.CONFIRMED
    assert not is_suppressed(reader)


def test_the_mailbox_that_bounced_is_suppressed_not_the_one_the_reader_moved_to(
    copy: Copy, reader: Subscriber, now: datetime
) -> None:
    delivery = copy(State.ACCEPTED)
    event = copies.event("bounced", delivery, **GONE)
    moved = addresses.normalise("new@readers.example")
    Subscriber.objects.filter(pk=reader.pk).update(
        address=moved.address, address_key=moved.key, address_hash=addresses.keyed_hash(moved.key)
    )

    record(event, now)

    assert suppression.is_suppressed("anna@readers.example")
    assert not suppression.is_suppressed("new@readers.example")


@pytest.mark.parametrize("name", EVENTS)
def test_an_erased_reader_stays_erased(copy: Copy, reader: Subscriber, now: datetime, name: str) -> None:
    delivery = copy(State.UNCERTAIN)
    kind, fields = EVENTS[name]
    event = copies.event(kind, delivery, **fields)
    suppression.suppress(address_key=reader.address_key, reason=Suppression.Reason.ERASED, actor=None, now=now)
    reader.delete()

    record(event, now)

    assert Subscriber.objects.count() == 0
    assert Suppression.objects.get().reason == Suppression.Reason.ERASED
    assert not DeliveryEvent.objects.exclude(address_hash="", settled_at__isnull=False).exists()


def test_the_last_exception_that_is_settled_makes_the_issue_sent(copy: Copy, now: datetime) -> None:
    delivery = copy(State.UNCERTAIN)
    issues = Issue.objects.filter(pk=delivery.issue_id)
    issues.update(**issue_reasons.columns(Reason("exceptions", {"uncertain": 2})))
    second = copies.copy(issues.get(), None, State.UNCERTAIN)
    copies.close(delivery.issue)

    record(copies.event("delivered", delivery), now)
    assert issues.get().state == Issue.State.SENT_WITH_EXCEPTIONS

    record(copies.event("delivered", second), now)
    assert (issues.get().state, issues.get().state_reason) == (Issue.State.SENT, "")


def test_an_issue_that_is_still_being_sent_is_left_alone(copy: Copy, now: datetime) -> None:
    delivery = copy(State.UNCERTAIN)

    record(copies.event("delivered", delivery), now)

    assert Issue.objects.get(pk=delivery.issue_id).state == Issue.State.SENDING


def test_signing_up_again_after_a_complaint_stays_suppressed_until_a_person_lifts_it(
    copy: Copy, reader: Subscriber, newsletter: Newsletter, now: datetime
) -> None:
    record(copies.event("complained", copy(State.ACCEPTED)), now)

    signup.subscribe_proven(
        subscriber=reader, wishes=[(newsletter, "daily")], evidence=consent.Evidence(), now=now + timedelta(days=1)
    )

    assert not Subscription.objects.all().mailable(now=now + timedelta(days=2)).exists()
