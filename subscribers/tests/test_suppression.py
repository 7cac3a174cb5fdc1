"""Suppressions: hashes only, the first reason stays, and only an erasure can be lifted by the reader."""

from datetime import datetime

import pytest

from mailkit import addresses
from subscribers import suppression
from subscribers.models import Subscription, Suppression
from tests.table import rows

pytestmark = pytest.mark.django_db

KEY = "rita@reader.org"
Reason = Suppression.Reason


def test_the_list_names_nobody(now: datetime) -> None:
    row = suppression.suppress(address_key=KEY, reason=Reason.MANUAL, note="asked by post", actor=None, now=now)

    assert row.address_hash == addresses.keyed_hash(KEY)
    assert suppression.is_suppressed(KEY)
    assert not suppression.is_suppressed("bob@elsewhere.net")


@rows(
    ("first", "then", "stays"),
    [
        (Reason.COMPLAINT, Reason.HARD_BOUNCE, "complaint"),
        (Reason.HARD_BOUNCE, Reason.ERASED, "hard_bounce"),
        (Reason.ERASED, Reason.COMPLAINT, "complaint"),
        (Reason.ERASED, Reason.ERASED, "erased"),
    ],
)
def test_the_reason_that_the_reader_cannot_lift_wins(now: datetime, first: str, then: str, stays: str) -> None:
    for reason in (first, then):
        suppression.suppress(address_key=KEY, reason=Reason(reason), actor=None, now=now)

    assert Suppression.objects.get().reason == stays


@rows("reason", Reason.values)
def test_only_an_erasure_and_soft_bounces_are_lifted_by_the_reader(now: datetime, reason: str) -> None:
    row = suppression.suppress(address_key=KEY, reason=Reason(reason), actor=None, now=now)
    assert suppression.lift_own(address_hash=row.address_hash) == (reason in ("erased", "soft_bounce"))
    assert not suppression.is_suppressed(KEY) or suppression.lift(address_hash=row.address_hash, actor=None, now=now)
    assert not suppression.is_suppressed(KEY)


def test_a_suppressed_reader_is_not_mailable(rita: Subscription, now: datetime) -> None:
    mailable = Subscription.objects.mailable
    assert mailable(now=now).exists()
    suppression.suppress(address_key=KEY, reason=Reason.HARD_BOUNCE, actor=None, now=now)

    assert not mailable(now=now).exists()
