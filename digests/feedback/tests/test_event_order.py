"""The same events end in the same state in whatever order they come, and a stronger one is never undone."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from digests.feedback import processing
from digests.models import Delivery, Issue
from digests.tests import copies
from subscribers import suppression
from subscribers.models import Newsletter, Subscriber, Subscription, Suppression
from tests.table import rows

EVENTS = {
    "delivered": ("delivered", {}),
    "delayed": ("deferred", {"mta_response": "421 4.3.0 later"}),
    "gone": ("bounced", {"mta_response": "550 5.1.1 no such user"}),
    "blocked": ("bounced", {"mta_response": "550 5.7.1 on our block list"}),
    "full": ("bounced", {"mta_response": "552 5.2.2 mailbox full"}),
    "complaint": ("complained", {}),
    "left": ("unsubscribed", {}),
    "opened": ("opened", {}),
    "clicked": ("clicked", {}),
}


class Undone(Exception):
    """Rolls back the rows of an example."""


def outcome(newsletter: Newsletter, names: Sequence[str], now: datetime) -> tuple[object, ...]:
    """The states in the rows after these events arrive in this order. The rows are rolled back."""
    states: list[object] = []
    try:
        with transaction.atomic():
            reader = copies.reader(newsletter)
            issue = copies.issue(newsletter, state=Issue.State.SENT_WITH_EXCEPTIONS)
            copy = copies.copy(issue, reader)
            for minute, name in enumerate(names):
                word, facts = EVENTS[name]
                event = copies.event(word, copy, event_id=name, **facts)
                processing.record(event=event, provider="some", now=now + timedelta(minutes=minute))
            states += [Delivery.objects.get().state, Issue.objects.get().state, Subscription.objects.get().state]
            states += Suppression.objects.values_list("reason", flat=True)
            raise Undone
    except Undone:
        return tuple(states)


@pytest.mark.django_db
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(names=st.lists(st.sampled_from(sorted(EVENTS)), unique=True, min_size=2, max_size=6), seed=st.randoms())
def test_the_order_changes_nothing(newsletter: Newsletter, now: datetime, names: list[str], seed: object) -> None:
    other = list(names)
    seed.shuffle(other)  # type: ignore[attr-defined]  # hypothesis' own Random
    assert outcome(newsletter, other, now) == outcome(newsletter, sorted(names), now)


@pytest.mark.django_db
@rows("names", [["complaint", "gone"], ["gone", "complaint"], ["full", "complaint", "gone"]])
def test_a_complaint_outweighs_a_bounce(newsletter: Newsletter, now: datetime, names: list[str]) -> None:
    assert outcome(newsletter, names, now) == ("rejected", "sent", "unsubscribed", "complaint")


@pytest.mark.django_db
@pytest.mark.parametrize("names", [["delivered", "gone"], ["gone", "delivered"]])
def test_what_came_back_was_not_delivered(newsletter: Newsletter, now: datetime, names: list[str]) -> None:
    assert outcome(newsletter, names, now) == ("rejected", "sent", "confirmed", "hard_bounce")


def test_what_our_own_server_accepted_no_event_rejects(newsletter: Newsletter, now: datetime) -> None:
    """The server's reply is on record. The event is stored beside it."""
    copy = copies.copy(copies.issue(newsletter), copies.reader(newsletter), Delivery.State.ACCEPTED)
    processing.record(event=copies.event("bounced", copy), provider="some", now=now)
    copy.refresh_from_db()
    assert copy.state == Delivery.State.ACCEPTED


REASONS = list(suppression.STRONGEST_FIRST)


@pytest.mark.django_db
@rows("first", REASONS)
@rows("second", REASONS)
def test_of_two_reasons_the_stronger_stays(
    first: Suppression.Reason, second: Suppression.Reason, now: datetime
) -> None:
    for reason in (first, second):
        suppression.suppress(address_key="anna@readers.example", reason=reason, note=reason, actor=None, now=now)
    stronger = min(first, second, key=REASONS.index)
    row = Suppression.objects.get()
    assert (row.reason, row.note) == (stronger, stronger)


def test_every_reason_has_its_place() -> None:
    assert set(REASONS) == set(Suppression.Reason)


# --- Whose address -------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["complained", "bounced"])
def test_a_report_suppresses_the_address_of_its_copy_whatever_else_it_names(
    newsletter: Newsletter, now: datetime, word: str
) -> None:
    """Who may report on one copy could name anybody."""
    reader, victim = copies.reader(newsletter), copies.reader(newsletter, "victim@readers.example")
    copy = copies.copy(copies.issue(newsletter), reader)
    event = copies.event(word, copy, recipient=victim.address, mta_response="550 5.1.1 no such user")
    processing.record(event=event, provider="some", now=now)
    assert [row.address_hash for row in Suppression.objects.all()] == [reader.address_hash]


def test_a_time_before_the_copy_left_undoes_no_complaint(newsletter: Newsletter, now: datetime) -> None:
    """Otherwise a report by a provider whose clock says 1970 would be older than every confirmation."""
    copy = copies.copy(copies.issue(newsletter), copies.reader(newsletter))
    event = copies.event("complained", copy, timestamp=datetime.fromtimestamp(0, tz=now.tzinfo))
    processing.record(event=event, provider="some", now=now)
    assert Suppression.objects.get().reason == "complaint"
    assert Subscription.objects.get().state == "unsubscribed"


def test_the_readers_of_other_copies_are_not_meant(newsletter: Newsletter, now: datetime) -> None:
    readers: list[Subscriber] = [copies.reader(newsletter, f"{name}@readers.example") for name in ("anna", "ben")]
    issue = copies.issue(newsletter, audience=2)
    first, _ = [copies.copy(issue, reader) for reader in readers]
    processing.record(event=copies.event("complained", first), provider="some", now=now)
    assert list(Subscription.objects.order_by("pk").values_list("state", flat=True)) == ["unsubscribed", "confirmed"]
