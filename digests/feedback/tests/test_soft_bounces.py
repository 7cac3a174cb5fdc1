"""When soft bounces suppress an address, and what resets their count."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from digests.feedback import ingestion, processing, soft_bounces
from digests.feedback.tests import mails
from digests.models import Delivery, DeliveryEvent, Issue
from digests.tests import copies
from postal import config
from subscribers import suppression
from subscribers.models import Newsletter, Subscriber, Subscription

State = Delivery.State
FULL = {"mta_response": "552 5.2.2 over quota"}


@pytest.fixture(autouse=True)
def policy(settings: Any) -> None:
    settings.SOFT_BOUNCES = config.SoftBounces(copies=3, days=4)


class History:
    """A reader with one copy a day, and events about the copies."""

    def __init__(self, newsletter: Newsletter, reader: Subscriber, now: datetime) -> None:
        self.newsletter, self.reader, self.now = newsletter, reader, now

    def copy(self, day: int, kind: str = "bounced", **fields: Any) -> Delivery:
        """The copy of that day, accepted, and an event about it an hour later; `kind` may be empty."""
        at = self.now + timedelta(days=day)
        copy = copies.copy(copies.issue(self.newsletter), self.reader, State.ACCEPTED, attempted_at=at)
        if kind:
            self.tell(copy, day, kind, **fields)
        return copy

    def tell(self, copy: Delivery, day: int, kind: str = "bounced", **fields: Any) -> None:
        at = self.now + timedelta(days=day, hours=1)
        event = copies.event(kind, copy, timestamp=at, **(FULL if kind == "bounced" else {}) | fields)
        processing.record(event=event, provider="Mailgun", now=at)

    def reason(self) -> str | None:
        suppressed = suppression.find(self.reader.address_hash)
        return suppressed.reason if suppressed is not None else None


@pytest.fixture
def history(newsletter: Newsletter, reader: Subscriber, now: datetime) -> History:
    return History(newsletter, reader, now)


def test_enough_lost_copies_over_enough_days_suppress_the_address(history: History) -> None:
    history.copy(0)
    history.copy(2)
    assert history.reason() is None
    history.copy(4)
    assert history.reason() == "soft_bounce"
    assert DeliveryEvent.objects.filter(kind="soft_bounce", settled_at__isnull=False).count() == 3


def test_a_domain_that_cannot_be_reached_for_long_enough_is_given_up(history: History) -> None:
    """RFC 3463 5.4.4: one such bounce is not enough, since the domain may be back tomorrow."""
    for day in (0, 2, 4):
        assert history.reason() is None
        history.copy(day, mta_response="550 5.4.4 Host or domain name not found")
    assert history.reason() == "soft_bounce"


def test_many_in_few_days_are_not_enough(history: History) -> None:
    for day in (0, 1, 2, 3):
        history.copy(day)
    assert history.reason() is None


def test_few_over_many_days_are_not_enough(history: History) -> None:
    history.copy(0)
    history.copy(30)
    assert history.reason() is None


def test_only_the_newest_copies_are_looked_at(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader of ten years has thousands of copies."""
    monkeypatch.setattr(soft_bounces, "_NEWEST", 2)
    for day in (0, 2, 4):
        history.copy(day)
    assert history.reason() is None


def test_notices_of_one_copy_count_once(history: History) -> None:
    copy = history.copy(0)
    for day in (2, 4, 6):
        history.tell(copy, day)
    assert history.reason() is None


def test_a_delay_never_counts(history: History) -> None:
    for day in range(0, 30, 3):
        history.copy(day, "deferred")
    assert history.reason() is None


def test_a_delay_does_not_complete_the_count_either(history: History) -> None:
    history.copy(0, "deferred")
    history.copy(2, "deferred")
    history.copy(4)
    assert history.reason() is None


def test_a_late_bounce_does_not_outweigh_a_newer_copy_that_arrived(history: History) -> None:
    bounced = [history.copy(day, "") for day in (0, 1, 2)]
    history.copy(3, "delivered")
    for day, copy in zip((5, 6, 9), bounced, strict=True):
        history.tell(copy, day)
    assert history.reason() is None


def test_a_refusal_of_our_mail_never_counts(history: History) -> None:
    for day in range(0, 30, 3):
        history.copy(day, "bounced", mta_response="550 5.7.26 unauthenticated")
    assert history.reason() is None


@pytest.mark.parametrize("kind", ["delivered", ""], ids=["delivered", "accepted and not heard of"])
def test_a_copy_that_arrived_resets_the_count(history: History, kind: str) -> None:
    history.copy(0)
    history.copy(2)
    history.copy(3, kind)
    history.copy(4)
    history.copy(6)
    assert history.reason() is None
    history.copy(8)
    assert history.reason() == "soft_bounce"


def test_a_copy_whose_bounce_may_still_come_resets_nothing(history: History) -> None:
    """A mail server tries for days: of the newest copies nothing is known yet."""
    bounced = [history.copy(day, "") for day in (0, 1, 2)]
    history.copy(5, "")
    for day, copy in zip((5, 6, 9), bounced, strict=True):
        history.tell(copy, day)
    assert history.reason() == "soft_bounce"


def test_bounces_may_come_in_any_order(history: History) -> None:
    bounced = [history.copy(day, "") for day in (0, 1, 2)]
    for day, copy in ((9, bounced[2]), (5, bounced[0]), (6, bounced[1])):
        history.tell(copy, day)
    assert history.reason() == "soft_bounce"


def test_a_reader_who_confirms_again_resets_the_count(history: History) -> None:
    history.copy(0)
    history.copy(2)
    Subscription.objects.update(confirmed_at=history.now + timedelta(days=3))
    history.copy(4)
    history.copy(6)
    assert history.reason() is None


def test_another_readers_bounces_do_not_count(history: History, newsletter: Newsletter) -> None:
    other = History(newsletter, copies.reader(newsletter, "bert@readers.example"), history.now)
    for day in (0, 2):
        history.copy(day)
        other.copy(day)
    other.copy(4)
    assert (history.reason(), other.reason()) == (None, "soft_bounce")


@pytest.mark.parametrize(("name", "reason"), [("postfix_expired", "soft_bounce"), ("postfix_delayed", None)])
def test_notices_that_come_as_mail_count_alike(history: History, name: str, reason: str | None) -> None:
    for day in (0, 2, 4):
        copy = history.copy(day, "")
        raw = mails.mail(name, copy).replace(b"6 May", b"%d May" % (6 + day))
        ingestion.take(raw=raw, now=history.now + timedelta(days=day, hours=1))
    assert history.reason() == reason


def full(history: History, day: int, state: State = State.EXPIRED, reason: str = "mailbox_full") -> Delivery:
    """The copy of that day, which the reader's server did not take from us; its issue has ended."""
    at = history.now + timedelta(days=day)
    issue = copies.issue(history.newsletter)
    copy = copies.copy(issue, history.reader, state, attempted_at=at, settled_at=at, reason=reason)
    copies.close(issue)
    Issue.objects.filter(pk=issue.pk).update(finished_at=at)
    return copy


def sweep(history: History, day: int) -> int:
    return soft_bounces.sweep(now=(history.now + timedelta(days=day)).replace(minute=37))


def test_a_mailbox_that_stays_full_is_given_up_by_the_clock(history: History) -> None:
    full(history, 0)
    full(history, 2, State.REJECTED)
    assert (sweep(history, 3), history.reason()) == (0, None)
    full(history, 4)
    assert soft_bounces.sweep(now=history.now.replace(minute=36)) == 0
    assert (sweep(history, 5), sweep(history, 5), history.reason()) == (1, 0, "soft_bounce")


@pytest.mark.parametrize("between", ["delivered", "passing"])
def test_only_full_mailboxes_in_a_row_count_on_our_own_connections(history: History, between: str) -> None:
    full(history, 0, reason="passing" if between == "passing" else "mailbox_full")
    full(history, 2)
    if between == "delivered":
        history.copy(3, "delivered")
    full(history, 4)
    assert sweep(history, 5) == 0


def test_bounces_before_a_block_was_lifted_by_hand_no_longer_count(history: History) -> None:
    for day in (0, 2, 4):
        history.copy(day)
    at = history.now + timedelta(days=5)
    assert suppression.lift(address_hash=history.reader.address_hash, actor=None, now=at)
    history.copy(6)
    assert history.reason() is None
    history.copy(8)
    history.copy(10)
    assert history.reason() == "soft_bounce"
