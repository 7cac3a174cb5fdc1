"""A mailbox whose mail only bounced: who asks again gets a letter, and its button brings the mail back."""

import re

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client
from django.utils import timezone

from mailkit import addresses
from subscribers import suppression
from subscribers.letters import send
from subscribers.models import Newsletter, Subscription, Suppression
from tests.cast import RITA, ask, confirmed

pytestmark = pytest.mark.django_db
HASH = addresses.keyed_hash


def blocked(reason: Suppression.Reason) -> None:
    suppression.suppress_hash(address_hash=HASH(RITA), reason=reason, now=timezone.now())


def letter_after_asking(newsletter: Newsletter) -> str:
    """The text of the letter that a sign-up leads to; empty if none leaves."""
    Subscription.objects.get().letters.all().delete()
    ask(RITA, newsletter)
    send.sweep(clock=timezone.now)
    return str(mail.outbox[-1].body) if mail.outbox else ""


def path(text: str) -> str:
    return "".join(re.findall(rf"{settings.SITE_URL}(/confirm/\S+)", text))


@pytest.mark.parametrize("was_confirmed", [True, False])
def test_who_asks_again_presses_a_button_and_is_mailed_again(
    browser: Client, newsletter: Newsletter, was_confirmed: bool
) -> None:
    if was_confirmed:
        confirmed(RITA, newsletter)
    else:
        ask(RITA, newsletter)
    before = Subscription.objects.get().confirmed_at
    blocked(Suppression.Reason.SOFT_BOUNCE)
    link = path(letter_after_asking(newsletter))

    assert "<button" in browser.get(link).content.decode()
    assert suppression.only_bounced(address_hash=HASH(RITA))
    assert browser.post(link).status_code == 200

    assert not Suppression.objects.exists()
    row = Subscription.objects.get()
    assert Subscription.objects.all().mailable(now=timezone.now()).get() == row
    # So that earlier bounces count no longer.
    assert row.confirmed_at is not None
    assert before is None or row.confirmed_at > before


@pytest.mark.parametrize("reason", ["complaint", "manual", "hard_bounce", "erased"])
def test_a_confirmed_reader_who_is_blocked_otherwise_gets_no_letter(newsletter: Newsletter, reason: str) -> None:
    confirmed(RITA, newsletter)
    blocked(Suppression.Reason(reason))
    assert letter_after_asking(newsletter) == ""


def test_who_is_mailed_already_has_no_such_button(newsletter: Newsletter) -> None:
    confirmed(RITA, newsletter)
    text = letter_after_asking(newsletter)
    assert "/preferences/" in text
    assert path(text) == ""
