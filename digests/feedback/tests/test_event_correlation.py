"""How an event finds its copy, and how long it waits for one."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from digests.feedback import events, handlers, processing
from digests.models import Delivery, DeliveryEvent, Issue
from digests.tests import copies
from subscribers import suppression
from subscribers.models import Letter, Newsletter, Suppression

State = Delivery.State
GONE: dict[str, Any] = {"reject_reason": "bounced", "mta_response": "550 5.1.1 no such user"}


@pytest.fixture
def issue(newsletter: Newsletter) -> Issue:
    return copies.issue(newsletter)


@pytest.fixture
def copy(issue: Issue, newsletter: Newsletter) -> Delivery:
    return copies.copy(issue, copies.reader(newsletter), State.UNCERTAIN, remote_id="<remote-1>")


def record(event: Any, now: datetime) -> DeliveryEvent | None:
    return processing.record(event=event, provider="Mailgun", now=now)


def test_by_the_uuid_that_went_along(copy: Delivery, now: datetime) -> None:
    row = record(copies.event("delivered", metadata={"delivery": str(copy.uuid)}), now)

    assert row is not None
    assert (row.delivery_uuid, row.issue) == (copy.uuid, copy.issue)


@pytest.mark.parametrize("form", ["<{uuid}@blocknews.example>", "{uuid}@blocknews.example", "<{hex}@x.example>"])
def test_by_our_own_message_id(copy: Delivery, now: datetime, form: str) -> None:
    row = record(copies.event("delivered", message_id=form.format(uuid=copy.uuid, hex=copy.uuid.hex)), now)

    assert row is not None
    assert row.delivery_uuid == copy.uuid


def test_the_uuid_that_went_along_outranks_a_message_id(copy: Delivery, newsletter: Newsletter, now: datetime) -> None:
    """A forwarded mail may carry the Message-ID of another."""
    other = copies.copy(copy.issue, copies.reader(newsletter, "berta@readers.example"))

    row = record(copies.event("delivered", copy, message_id=f"<{other.uuid}@blocknews.example>"), now)

    assert row is not None
    assert row.delivery_uuid == copy.uuid


def test_by_the_providers_id(copy: Delivery, now: datetime) -> None:
    row = record(copies.event("delivered", message_id="<remote-1>", recipient="anna@readers.example"), now)

    assert row is not None
    assert row.delivery_uuid == copy.uuid


def test_a_batch_id_names_a_copy_only_together_with_its_mailbox(
    copy: Delivery, newsletter: Newsletter, now: datetime
) -> None:
    second = copies.copy(copy.issue, copies.reader(newsletter, "berta@readers.example"), remote_id="<remote-1>")

    nobody = record(copies.event("delivered", message_id="<remote-1>"), now)
    berta = record(copies.event("delivered", message_id="<remote-1>", recipient="Berta@readers.example"), now)

    assert nobody is not None
    assert berta is not None
    assert (nobody.delivery_uuid, nobody.settled_at) == (None, None)
    assert berta.delivery_uuid == second.uuid


def test_a_batch_of_events_finds_each_its_own_copy_of_a_batch(
    copy: Delivery, newsletter: Newsletter, now: datetime
) -> None:
    second = copies.copy(copy.issue, copies.reader(newsletter, "berta@readers.example"), remote_id="<remote-1>")
    reported = [
        copies.event("delivered", event_id=name, message_id="<remote-1>", recipient=f"{name}@readers.example")
        for name in ("berta", "anna")
    ]
    events.store(events=reported, provider="Mailgun", now=now)

    assert processing.settle(now=now) == 2

    assert dict(DeliveryEvent.objects.values_list("event_id", "delivery_uuid")) == {
        "anna": copy.uuid,
        "berta": second.uuid,
    }


def test_an_id_that_names_two_copies_of_one_mailbox_names_neither(
    copy: Delivery, newsletter: Newsletter, now: datetime
) -> None:
    copies.copy(copies.issue(newsletter), copy.subscriber, State.UNCERTAIN, remote_id="<remote-1>")

    row = record(copies.event("delivered", message_id="<remote-1>", recipient="anna@readers.example"), now)

    assert row is not None
    assert (row.issue, row.settled_at) == (None, None)


def test_an_empty_id_names_nobody(issue: Issue, newsletter: Newsletter, now: datetime) -> None:
    copies.copy(issue, copies.reader(newsletter), State.UNCERTAIN, remote_id="")

    row = record(copies.event("delivered", message_id=""), now)

    assert row is not None
    assert row.issue is None


def test_an_event_that_is_faster_than_our_commit_waits_for_it(copy: Delivery, now: datetime) -> None:
    Delivery.objects.filter(pk=copy.pk).update(remote_id="")
    row = record(copies.event("bounced", message_id="<remote-2>", recipient="anna@readers.example", **GONE), now)
    assert row is not None
    assert row.settled_at is None
    assert processing.settle(now=now + timedelta(minutes=1)) == 0

    Delivery.objects.filter(pk=copy.pk).update(remote_id="<remote-2>")
    assert processing.settle(now=now + timedelta(minutes=2)) == 1

    copy.refresh_from_db()
    settled = DeliveryEvent.objects.get()
    assert (settled.delivery_uuid, settled.settled_at, settled.address_hash) == (
        copy.uuid,
        now + timedelta(minutes=2),
        "",
    )
    assert copy.state == State.REJECTED
    assert suppression.is_suppressed("anna@readers.example")


@pytest.mark.parametrize(("kind", "expected"), [("delivered", State.ACCEPTED), ("failed", State.REJECTED)])
def test_an_event_waits_while_its_copy_is_on_its_way(copy: Delivery, now: datetime, kind: str, expected: State) -> None:
    """The worker dies after the provider's reply and before it records the outcome."""
    lease = {"state": State.ATTEMPTING, "lease_until": now + timedelta(minutes=2)}
    Delivery.objects.filter(pk=copy.pk).update(**lease)
    record(copies.event(kind, copy), now)
    assert processing.settle(now=now + timedelta(minutes=1)) == 0

    Delivery.objects.filter(pk=copy.pk).update(state=State.UNCERTAIN, lease_until=None)
    assert processing.settle(now=now + timedelta(minutes=3)) == 1

    copy.refresh_from_db()
    assert copy.state == expected


def test_an_event_whose_copy_was_settled_meanwhile_is_done(copy: Delivery, now: datetime) -> None:
    lease = {"state": State.ATTEMPTING, "lease_until": now + timedelta(minutes=2)}
    Delivery.objects.filter(pk=copy.pk).update(**lease)
    record(copies.event("delivered", copy), now)
    Delivery.objects.filter(pk=copy.pk).update(state=State.ACCEPTED, reason="called_accepted", lease_until=None)

    assert processing.settle(now=now + timedelta(minutes=1)) == 1

    copy.refresh_from_db()
    assert (copy.state, copy.reason) == (State.ACCEPTED, "called_accepted")


@pytest.mark.parametrize(("hours", "settled"), [(23, False), (24, True), (400, True)])
def test_an_event_of_nobody_is_given_up_after_a_day(db: None, now: datetime, hours: int, settled: bool) -> None:
    record(copies.event("bounced", metadata={"delivery": str(uuid4())}, recipient="x@y.example", **GONE), now)

    processing.settle(now=now + timedelta(hours=hours))

    row = DeliveryEvent.objects.get()
    assert (row.settled_at is not None) is settled
    assert (row.address_hash == "") is settled
    assert not suppression.is_suppressed("x@y.example")


def test_what_a_stranger_opened_is_not_kept(db: None, now: datetime) -> None:
    record(copies.event("opened", metadata={"delivery": str(uuid4())}), now)
    assert DeliveryEvent.objects.count() == 1

    processing.settle(now=now + timedelta(hours=25))

    assert DeliveryEvent.objects.count() == 0


def test_many_events_of_nobody_do_not_hold_up_one_of_ours(
    copy: Delivery, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processing, "BATCH", 2)
    Delivery.objects.filter(pk=copy.pk).update(remote_id="")
    for number in range(5):
        record(copies.event("delivered", message_id=f"<other-{number}>"), now)
    record(copies.event("delivered", message_id="<late>", recipient="anna@readers.example"), now + timedelta(seconds=1))
    Delivery.objects.filter(pk=copy.pk).update(remote_id="<late>")

    assert processing.settle(now=now + timedelta(minutes=2)) == 1


def test_one_event_that_breaks_stops_no_other(
    copy: Delivery, newsletter: Newsletter, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = copies.copy(copy.issue, copies.reader(newsletter, "berta@readers.example"), State.ATTEMPTING)
    Delivery.objects.filter(pk=copy.pk).update(state=State.ATTEMPTING, lease_until=now)
    record(copies.event("complained", copy, message_id="<a>"), now)
    broken = DeliveryEvent.objects.get()
    DeliveryEvent.objects.update(settled_at=None)
    record(copies.event("delivered", second), now)
    Delivery.objects.all().update(state=State.UNCERTAIN, lease_until=None)
    follow = handlers.follow

    def stumble(row: DeliveryEvent, copy: Delivery, moment: datetime) -> handlers.Effect:
        if row.pk == broken.pk:
            raise ZeroDivisionError
        return follow(row, copy, moment)

    monkeypatch.setattr(handlers, "follow", stumble)

    assert processing.settle(now=now + timedelta(minutes=1)) == 1
    second.refresh_from_db()
    assert second.state == State.ACCEPTED


@pytest.mark.parametrize(
    ("words", "state"), [(GONE, "rejected"), ({"mta_response": "552 5.2.2 over quota"}, "rejected"), ({}, "sent")]
)
def test_a_letter_that_came_back_did_not_arrive(
    newsletter: Newsletter, now: datetime, words: dict[str, Any], state: str
) -> None:
    letter = Letter.objects.create(kind=Letter.Kind.CONFIRM, subscriber=copies.reader(newsletter), state="sent")
    record(
        copies.event("bounced" if words else "deferred", message_id=f"<letter.{letter.uuid.hex}@x.test>", **words), now
    )
    letter.refresh_from_db()
    assert letter.state == state


def test_a_letter_that_bounces_suppresses_its_mailbox(newsletter: Newsletter, now: datetime) -> None:
    reader = copies.reader(newsletter)
    letter = Letter.objects.create(kind=Letter.Kind.CONFIRM, subscriber=reader)

    row = record(copies.event("bounced", message_id=f"<letter.{letter.uuid.hex}@blocknews.example>", **GONE), now)

    assert row is not None
    assert (row.issue, row.settled_at) == (None, now)
    assert suppression.is_suppressed(reader.address_key)


def test_a_letter_that_was_refused_for_our_sake_suppresses_nobody(newsletter: Newsletter, now: datetime) -> None:
    reader = copies.reader(newsletter)
    letter = Letter.objects.create(kind=Letter.Kind.CONFIRM, subscriber=reader)

    record(copies.event("bounced", message_id=f"<letter.{letter.uuid.hex}@x.example>", mta_response="550 5.7.1"), now)

    assert not suppression.is_suppressed(reader.address_key)


def test_a_complaint_about_a_letter_is_a_complaint(newsletter: Newsletter, now: datetime) -> None:
    """A person may lift a bounce without asking anybody, and this not."""
    letter = Letter.objects.create(kind=Letter.Kind.CONFIRM, subscriber=copies.reader(newsletter))

    record(copies.event("complained", message_id=f"<letter.{letter.uuid.hex}@x.example>"), now)

    assert Suppression.objects.get().reason == Suppression.Reason.COMPLAINT


def test_who_opened_a_letter_is_not_kept(newsletter: Newsletter, now: datetime) -> None:
    letter = Letter.objects.create(kind=Letter.Kind.CONFIRM, subscriber=copies.reader(newsletter, tracking=True))

    assert record(copies.event("opened", message_id=f"<letter.{letter.uuid.hex}@x.example>"), now) is None

    assert not DeliveryEvent.objects.exists()
