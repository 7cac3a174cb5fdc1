"""Opens and clicks belong to a person only with that person's consent."""

from datetime import datetime
from typing import Any

import pytest

from digests.feedback import processing
from digests.models import Delivery, DeliveryEvent
from digests.tests import copies
from subscribers.models import Newsletter


def copy_of(newsletter: Newsletter, *, tracking: bool) -> Delivery:
    reader = copies.reader(newsletter, tracking=tracking)
    return copies.copy(copies.issue(newsletter), reader, Delivery.State.ACCEPTED)


@pytest.mark.parametrize("kind", ["opened", "clicked"])
def test_a_reader_who_agreed_is_counted_as_a_person(newsletter: Newsletter, now: datetime, kind: str) -> None:
    delivery = copy_of(newsletter, tracking=True)

    row = processing.record(event=copies.event(kind, delivery), provider="Mailgun", now=now)

    assert row is not None
    assert row.delivery_uuid == delivery.uuid


def test_an_open_of_anybody_else_is_not_kept_at_all(newsletter: Newsletter, now: datetime) -> None:
    delivery = copy_of(newsletter, tracking=False)

    assert processing.record(event=copies.event("opened", delivery), provider="Mailgun", now=now) is None
    assert DeliveryEvent.objects.count() == 0


def test_a_click_of_anybody_else_is_counted_for_the_issue_alone(newsletter: Newsletter, now: datetime) -> None:
    delivery = copy_of(newsletter, tracking=False)
    click = copies.event("clicked", delivery, message_id=f"<{delivery.uuid}@x.example>")

    processing.record(event=click, provider="Mailgun", now=now)

    stored: dict[str, Any] = dict(DeliveryEvent.objects.values().get())
    assert stored["issue_id"] == delivery.issue_id
    assert stored["delivery_uuid"] is None
    assert str(delivery.uuid) not in repr(stored)
    assert (stored["address_hash"], stored["remote_id"], stored["delivery_uuid"]) == ("", "", None)
    assert stored["kind"] == DeliveryEvent.Kind.CLICK


def test_a_click_of_an_erased_reader_is_nobodys(newsletter: Newsletter, now: datetime) -> None:
    delivery = copy_of(newsletter, tracking=True)
    click = copies.event("clicked", delivery)
    assert delivery.subscriber is not None
    delivery.subscriber.delete()

    processing.record(event=click, provider="Mailgun", now=now)

    assert DeliveryEvent.objects.get().delivery_uuid is None


def test_the_repeated_click_of_anybody_is_one(newsletter: Newsletter, now: datetime) -> None:
    click = copies.event("clicked", copy_of(newsletter, tracking=False))

    for _ in range(5):
        processing.record(event=click, provider="Mailgun", now=now)

    assert DeliveryEvent.objects.count() == 1
