"""When "not now" has been said often enough, and what starts the count anew."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from digests.feedback import ingestion, processing, soft_bounces
from digests.feedback.tests import mails
from digests.models import Delivery, DeliveryEvent
from digests.tests import copies
from postal import config
from subscribers import suppression
from subscribers.models import Newsletter, Subscriber, Subscription

State = Delivery.State
FULL = {"mta_response": "552 5.2.2 over quota"}


@pytest.fixture(autouse=True)
def policy(settings: Any) -> None:
    settings.SOFT_BOUNCES = config.SoftBounces(copies=3, days=4)


class House:
    """A reader whose copies leave one a day, and what is said of each."""

    def __init__(self, newsletter: Newsletter, reader: Subscriber, now: datetime) -> None:
        self.newsletter, self.reader, self.now = newsletter, reader, now

    def copy(self, day: int, said: str = "bounced", **fields: Any) -> Delivery:
        """The copy of that day, accepted, and an event about it an hour later; `said` may be empty."""
        at = self.now + timedelta(days=day)
        copy = copies.copy(copies.issue(self.newsletter), self.reader, State.ACCEPTED, attempted_at=at)
        if said:
            self.tell(copy, day, said, **fields)
        return copy

    def tell(self, copy: Delivery, day: int, said: str = "bounced", **fields: Any) -> None:
        at = self.now + timedelta(days=day, hours=1)
        event = copies.said(said, copy, timestamp=at, **(FULL if said == "bounced" else {}) | fields)
        processing.record(event=event, provider="Mailgun", now=at)

    def reason(self) -> str | None:
        found = suppression.find(self.reader.address_hash)
        return found.reason if found is not None else None


@pytest.fixture
def house_of(newsletter: Newsletter, reader: Subscriber, now: datetime) -> House:
    return House(newsletter, reader, now)


def test_so_many_lost_copies_over_so_many_days_are_enough(house_of: House) -> None:
    house_of.copy(0)
    house_of.copy(2)
    assert house_of.reason() is None
    house_of.copy(4)
    assert house_of.reason() == "soft_bounce"
    assert DeliveryEvent.objects.filter(kind="soft_bounce", settled_at__isnull=False).count() == 3


def test_a_domain_that_cannot_be_reached_for_long_enough_is_given_up(house_of: House) -> None:
    """RFC 3463 5.4.4: one is forgiven, since the domain may be back tomorrow."""
    for day in (0, 2, 4):
        assert house_of.reason() is None
        house_of.copy(day, mta_response="550 5.4.4 Host or domain name not found")
    assert house_of.reason() == "soft_bounce"


def test_many_in_few_days_are_not_enough(house_of: House) -> None:
    for day in (0, 1, 2, 3):
        house_of.copy(day)
    assert house_of.reason() is None


def test_few_over_many_days_are_not_enough(house_of: House) -> None:
    house_of.copy(0)
    house_of.copy(30)
    assert house_of.reason() is None


def test_only_the_newest_copies_are_looked_at(house_of: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has read for ten years has thousands."""
    monkeypatch.setattr(soft_bounces, "_NEWEST", 2)
    for day in (0, 2, 4):
        house_of.copy(day)
    assert house_of.reason() is None


def test_notices_of_one_copy_count_once(house_of: House) -> None:
    copy = house_of.copy(0)
    for day in (2, 4, 6):
        house_of.tell(copy, day)
    assert house_of.reason() is None


def test_a_delay_never_counts(house_of: House) -> None:
    for day in range(0, 30, 3):
        house_of.copy(day, "deferred")
    assert house_of.reason() is None


def test_a_delay_does_not_complete_the_count_either(house_of: House) -> None:
    house_of.copy(0, "deferred")
    house_of.copy(2, "deferred")
    house_of.copy(4)
    assert house_of.reason() is None


def test_a_late_bounce_does_not_outweigh_a_newer_copy_that_arrived(house_of: House) -> None:
    bounced = [house_of.copy(day, "") for day in (0, 1, 2)]
    house_of.copy(3, "delivered")
    for day, copy in zip((5, 6, 9), bounced, strict=True):
        house_of.tell(copy, day)
    assert house_of.reason() is None


def test_a_refusal_of_our_mail_never_counts(house_of: House) -> None:
    for day in range(0, 30, 3):
        house_of.copy(day, "bounced", mta_response="550 5.7.26 unauthenticated")
    assert house_of.reason() is None


@pytest.mark.parametrize("said", ["delivered", ""], ids=["delivered", "accepted and not heard of"])
def test_a_copy_that_arrived_starts_the_count_anew(house_of: House, said: str) -> None:
    house_of.copy(0)
    house_of.copy(2)
    house_of.copy(3, said)
    house_of.copy(4)
    house_of.copy(6)
    assert house_of.reason() is None
    house_of.copy(8)
    assert house_of.reason() == "soft_bounce"


def test_a_copy_whose_bounce_may_still_come_starts_nothing_anew(house_of: House) -> None:
    """A mail server tries for days: of the newest copies nothing is known yet."""
    bounced = [house_of.copy(day, "") for day in (0, 1, 2)]
    house_of.copy(5, "")
    for day, copy in zip((5, 6, 9), bounced, strict=True):
        house_of.tell(copy, day)
    assert house_of.reason() == "soft_bounce"


def test_bounces_may_come_in_any_order(house_of: House) -> None:
    bounced = [house_of.copy(day, "") for day in (0, 1, 2)]
    for day, copy in ((9, bounced[2]), (5, bounced[0]), (6, bounced[1])):
        house_of.tell(copy, day)
    assert house_of.reason() == "soft_bounce"


def test_a_reader_who_confirms_again_starts_afresh(house_of: House) -> None:
    house_of.copy(0)
    house_of.copy(2)
    Subscription.objects.update(confirmed_at=house_of.now + timedelta(days=3))
    house_of.copy(4)
    house_of.copy(6)
    assert house_of.reason() is None


def test_another_readers_bounces_do_not_count(house_of: House, newsletter: Newsletter) -> None:
    other = House(newsletter, copies.reader(newsletter, "bert@readers.example"), house_of.now)
    for day in (0, 2):
        house_of.copy(day)
        other.copy(day)
    other.copy(4)
    assert (house_of.reason(), other.reason()) == (None, "soft_bounce")


@pytest.mark.parametrize(("name", "reason"), [("postfix_expired", "soft_bounce"), ("postfix_delayed", None)])
def test_notices_that_come_as_mail_count_alike(house_of: House, name: str, reason: str | None) -> None:
    for day in (0, 2, 4):
        copy = house_of.copy(day, "")
        raw = mails.mail(name, copy).replace(b"6 May", b"%d May" % (6 + day))
        ingestion.take(raw=raw, now=house_of.now + timedelta(days=day, hours=1))
    assert house_of.reason() == reason
