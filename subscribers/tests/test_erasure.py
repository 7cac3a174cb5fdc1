"""Being forgotten: what goes, what stays, and who can come back."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from mailkit import addresses
from subscribers import consent, erasure, signup, suppression
from subscribers.models import (
    ConsentEvent,
    ConsentOrigin,
    Letter,
    Newsletter,
    Subscriber,
    Subscription,
    Suppression,
)
from tests.cast import BOB, RITA, ask, confirmed, evidence

pytestmark = pytest.mark.django_db

KEY = "rita@reader.org"


def forget(days: int) -> int:
    return erasure.forget_unconfirmed(now=timezone.now() + timedelta(days=days))


def test_the_person_goes_and_the_proof_stays(rita: Subscription) -> None:
    call_command("erase", "Rita@reader.org", stdout=StringIO())

    assert not Subscriber.objects.exists()
    assert not Subscription.objects.exists()
    assert not Letter.objects.exists()
    assert [event.kind for event in ConsentEvent.objects.order_by("pk")] == ["requested", "confirmed", "erased"]
    assert not ConsentOrigin.objects.filter(ip__isnull=False).exists()
    assert Suppression.objects.get().reason == "erased"
    assert consent.verify() is None


def test_nobody_else_is_touched(rita: Subscription, newsletter: Newsletter) -> None:
    bob = confirmed(BOB, newsletter)
    call_command("erase", RITA, stdout=StringIO())
    bob.refresh_from_db()

    assert bob.state == "confirmed"
    assert ConsentOrigin.objects.filter(ip="198.51.100.77").count() == 2


def test_a_second_erasure_and_one_of_a_stranger_are_fine(rita: Subscription) -> None:
    out = StringIO()
    for _ in range(2):
        call_command("erase", RITA, stdout=out)
    call_command("erase", BOB, stdout=out)

    assert "There was no subscriber" in out.getvalue()
    assert suppression.is_suppressed(BOB)
    assert RITA not in out.getvalue()


def test_an_erased_person_can_ask_again_and_is_asked_to_confirm(rita: Subscription, newsletter: Newsletter) -> None:
    call_command("erase", RITA, stdout=StringIO())
    fresh = ask(RITA, newsletter)

    assert fresh.uuid != rita.subscriber.uuid
    assert Letter.objects.get().kind == Letter.Kind.CONFIRM
    assert suppression.is_suppressed(KEY)


def test_an_unconfirmed_request_is_forgotten_after_seven_days(newsletter: Newsletter) -> None:
    ask(RITA, newsletter)
    confirmed(BOB, newsletter)
    assert forget(6) == 0
    assert forget(8) == 1

    assert Subscriber.objects.get().address == BOB


def test_a_renewed_request_is_not_forgotten(newsletter: Newsletter) -> None:
    ask(RITA, newsletter)
    ask(RITA, newsletter, now=timezone.now() + timedelta(days=5))

    assert forget(8) == 0


def test_somebody_who_left_before_is_put_back_to_having_left(rita: Subscription, newsletter: Newsletter) -> None:
    signup.unsubscribe(subscription=rita, evidence=evidence(), reason="test", now=timezone.now())
    ask(RITA, newsletter)
    assert forget(8) == 1
    rita.refresh_from_db()

    assert rita.state == "unsubscribed"


def test_a_reader_with_another_subscription_stays(rita: Subscription, product: Newsletter) -> None:
    ask(RITA, product)
    assert forget(8) == 1

    assert Subscription.objects.get() == rita


def test_the_key_of_an_erased_mailbox_is_its_hash_alone(rita: Subscription) -> None:
    call_command("erase", RITA, stdout=StringIO())

    assert Suppression.objects.get().address_hash == addresses.keyed_hash(KEY)
