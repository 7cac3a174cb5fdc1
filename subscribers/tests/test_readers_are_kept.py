"""While an audience is being planned nobody is deleted, and nobody but whoever deletes waits for that."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from subscribers import erasure, signup
from subscribers.models import Subscriber, Subscription, Suppression
from subscribers.tests.conftest import BOB, ask, confirmed, evidence
from tests import ownership

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 20


@contextmanager
def readers_are_kept() -> Iterator[Callable[[], None]]:
    """By another connection, until the end or until the function is called."""
    kept, over = threading.Event(), threading.Event()

    def keep() -> None:
        with transaction.atomic():
            erasure.keep_readers()
            kept.set()
            over.wait(SECONDS)
        connection.close()

    thread = threading.Thread(target=keep)
    thread.start()

    def end() -> None:
        over.set()
        thread.join(SECONDS)

    try:
        assert kept.wait(SECONDS)
        yield end
    finally:
        end()


def erase(subscription: Subscription) -> threading.Thread:
    def run() -> None:
        erasure.erase(address_key=subscription.subscriber.address_key, evidence=evidence(), now=timezone.now())
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def someone_asks() -> bool:
    """Whether another connection looks for its turn."""
    with ownership.owner(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND query LIKE '%pg_try_advisory_xact_lock%')"
        )
        return bool(cursor.fetchone()[0])


def test_an_erasure_waits_and_holds_up_nobody_else(rita: Subscription) -> None:
    bob = confirmed(BOB, rita.newsletter)
    with readers_are_kept() as end:
        thread = erase(rita)
        while not someone_asks():
            assert thread.is_alive()
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '2s'")
            # The readers of another issue; the row of this reader, as a lane locks it; an act of another reader.
            erasure.keep_readers()
            Subscriber.objects.select_for_update(nowait=True).get(pk=rita.subscriber_id)
            assert signup.unsubscribe(subscription=bob, evidence=evidence(), reason="test", now=timezone.now())
        assert Subscriber.objects.filter(pk=rita.subscriber_id).exists()
        end()
        thread.join(SECONDS)
    assert not Subscriber.objects.filter(pk=rita.subscriber_id).exists()


def test_requests_that_nobody_confirmed_are_dropped_in_another_minute(rita: Subscription) -> None:
    ask(BOB, rita.newsletter)
    later = timezone.now() + timedelta(days=8)
    with readers_are_kept():
        assert erasure.forget_unconfirmed(now=later) == 0
    assert erasure.forget_unconfirmed(now=later) == 1


def test_an_erasure_that_waited_a_minute_has_changed_nothing(
    rita: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "PATIENCE_SECONDS", 0.0)
    with readers_are_kept(), pytest.raises(CommandError, match="Try again in a minute"):
        call_command("erase", rita.subscriber.address)
    assert Subscriber.objects.filter(pk=rita.subscriber_id).exists()
    assert not Suppression.objects.exists()
