"""One reminder for a sign-up that nobody confirmed: to whom it goes, and that it stays the only one."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import redis
import time_machine
from django.utils import timezone

from core import redis_client
from mailkit import addresses
from subscribers import erasure, links, reminders, signup, suppression, throttle
from subscribers.letters import send
from subscribers.models import Letter, Newsletter, Reminder, Subscriber, Subscription, Suppression
from tests.cast import BOB, RITA, ask, confirmed, evidence
from tests.table import rows

pytestmark = pytest.mark.django_db
LATER = timedelta(hours=48)


def asked(address: str, newsletter: Newsletter, *, ago: timedelta = LATER) -> Subscriber:
    """Somebody asked a while ago, and the letter that asks back has arrived."""
    reader = ask(address, newsletter, now=timezone.now() - ago)
    Letter.objects.filter(subscriber=reader).update(state="sent", settled_at=timezone.now() - ago)
    return reader


def queued(now: datetime | None = None) -> int:
    return reminders.queue_due(now=now or timezone.now())


def test_who_did_not_confirm_is_reminded_once(newsletter: Newsletter) -> None:
    asked(RITA, newsletter)
    assert [queued(), queued(timezone.now() + timedelta(hours=1))] == [1, 0]
    letter = Letter.objects.get(kind="reminder")
    assert list(letter.subscriptions.values_list("newsletter__slug", flat=True)) == ["tech-news"]
    signup.confirm(
        token=links.confirm_token(subscriptions=letter.subscriptions.all()), evidence=evidence(), now=timezone.now()
    )
    assert send.send(letter_id=letter.pk, now=timezone.now()) == "expired"


@rows("hours", [47, 97])
def test_it_comes_neither_early_nor_when_the_request_is_about_to_be_forgotten(
    newsletter: Newsletter, hours: int
) -> None:
    asked(RITA, newsletter, ago=timedelta(hours=hours))
    assert queued() == 0


@pytest.mark.parametrize("spelling", [RITA, "Rita+again@reader.org"])
def test_a_mailbox_is_not_reminded_again_over_several_sign_ups(newsletter: Newsletter, spelling: str) -> None:
    asked(RITA, newsletter)
    assert queued() == 1
    erasure.forget_unconfirmed(now=timezone.now() + timedelta(days=6))
    assert not Subscriber.objects.exists()

    asked(spelling, newsletter)
    assert queued() == 0
    Reminder.objects.update(asked_at=timezone.now() - reminders.AGAIN)
    assert reminders.forget_old(now=timezone.now() + timedelta(seconds=1)) == 1
    assert queued() == 1


def _suppressed(reader: Subscriber) -> None:
    suppression.suppress_hash(address_hash=reader.address_hash, reason=Suppression.Reason.COMPLAINT, now=timezone.now())


def _came_back(reader: Subscriber) -> None:
    assert send.came_back(letter=reader.letters.get(), now=timezone.now())


def _never_left(reader: Subscriber) -> None:
    reader.letters.update(state="pending")


def _imported(reader: Subscriber) -> None:
    Letter.objects.create(kind="permission", subscriber=reader, state="sent").subscriptions.set(
        reader.subscriptions.all()
    )


def _left_before(reader: Subscriber) -> None:
    reader.subscriptions.update(unsubscribed_at=timezone.now() - timedelta(days=90))


def _reading(reader: Subscriber) -> None:
    confirmed(reader.address, Newsletter.objects.get())


def _bombed(reader: Subscriber) -> None:
    for hours in range(48, 0, -11):
        with time_machine.travel(timezone.now() - timedelta(hours=hours)):
            throttle.signup(address=addresses.normalise(reader.address), ip=None)


@pytest.mark.parametrize("happened", [_suppressed, _came_back, _never_left, _imported, _left_before, _reading, _bombed])
def test_nobody_is_reminded_who_must_not_be(newsletter: Newsletter, happened: Callable[[Subscriber], None]) -> None:
    happened(asked(RITA, newsletter))
    asked(BOB, newsletter)
    assert queued() == 1
    assert Letter.objects.get(kind="reminder").subscriber.address == BOB


def test_without_redis_nobody_is_reminded_and_later_all_are(
    newsletter: Newsletter, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(RITA, newsletter)
    with monkeypatch.context() as away:
        away.setattr(redis_client, "connect", lambda: redis.Redis(unix_socket_path="/nowhere"))
        assert queued() == 0
    assert queued() == 1


def test_it_can_be_turned_off(newsletter: Newsletter, settings: object) -> None:
    settings.REMIND_AFTER = timedelta()  # type: ignore[attr-defined]  # pytest-django's settings fixture
    asked(RITA, newsletter)
    assert queued() == 0


def test_the_request_of_a_reminded_reader_is_forgotten_all_the_same(newsletter: Newsletter) -> None:
    asked(RITA, newsletter)
    queued()
    assert erasure.forget_unconfirmed(now=timezone.now() + timedelta(days=5, minutes=1)) == 1
    assert not Subscription.objects.exists()
    assert not Letter.objects.exists()
