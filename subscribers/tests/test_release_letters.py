"""Imported readers are asked when somebody says so, and no faster than was said."""

from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from subscribers import erasure
from subscribers.letters import queue, send
from subscribers.models import Letter, Newsletter, Subscription
from subscribers.tests.conftest import import_text
from tests.table import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def imported(newsletter: Newsletter) -> Newsletter:
    """Twelve readers who were imported without a basis."""
    import_text("email\n" + "".join(f"r{number}@reader.org\n" for number in range(12)), newsletter, basis="")
    return newsletter


def test_nothing_leaves_before_it_is_released(imported: Newsletter) -> None:
    assert send.sweep(clock=timezone.now) == 0
    assert queue.held(newsletter=imported) == 12


def test_letters_leave_evenly_at_the_rate_that_was_chosen(imported: Newsletter, now: datetime) -> None:
    assert queue.release(newsletter=imported, per_hour=60, actor=None, now=now).count == 12

    due = list(Letter.objects.order_by("pk").values_list("state", "due_at"))
    assert due == [("pending", now + timedelta(minutes=number)) for number in range(12)]


def test_a_second_release_comes_behind_the_first(imported: Newsletter, now: datetime) -> None:
    queue.release(newsletter=imported, per_hour=60, actor=None, now=now)
    import_text("email\nlate1@reader.org\nlate2@reader.org\n", imported, basis="")
    released = queue.release(newsletter=imported, per_hour=30, actor=None, now=now)

    assert (released.first_at, released.last_at) == (now + timedelta(minutes=13), now + timedelta(minutes=15))
    assert Letter.objects.filter(due_at__lte=now + timedelta(minutes=5)).count() == 6


def test_after_a_pause_of_the_workers_the_letters_leave_no_faster(imported: Newsletter, now: datetime) -> None:
    queue.release(newsletter=imported, per_hour=60, actor=None, now=now)
    later = now + timedelta(hours=5)

    assert send.sweep(clock=lambda: later) == 1
    assert send.sweep(clock=lambda: later + timedelta(minutes=2)) == 2
    last = Letter.objects.order_by("pk").last()
    assert last is not None
    assert last.due_at - last.created_at == timedelta(0)
    assert last.due_at == later + timedelta(minutes=11)


def test_a_small_delay_is_made_up_for(imported: Newsletter, now: datetime) -> None:
    queue.release(newsletter=imported, per_hour=60, actor=None, now=now)

    assert send.sweep(clock=lambda: now + timedelta(minutes=3)) == 4


def test_the_last_of_many_days_is_still_tried(imported: Newsletter, now: datetime) -> None:
    queue.release(newsletter=imported, per_hour=1, actor=None, now=now - timedelta(days=30))
    last = Letter.objects.order_by("pk").last()
    assert last is not None

    assert send.send(letter_id=last.pk, now=last.due_at) == Letter.State.SENT


def test_readers_who_wait_to_be_asked_are_not_forgotten(imported: Newsletter) -> None:
    erasure.forget_unconfirmed(now=timezone.now() + timedelta(days=90))

    assert Subscription.objects.filter(state="pending").count() == 12


def test_only_one_newsletter_is_released(imported: Newsletter, product: Newsletter) -> None:
    import_text("email\nx@reader.org\n", product, basis="")
    queue.release(newsletter=product, per_hour=60, actor=None, now=timezone.now())

    assert queue.held(newsletter=imported) == 12


@rows("rate", [0, -1, 100_001])
def test_a_rate_that_cannot_be_is_refused(imported: Newsletter, rate: int) -> None:
    with pytest.raises(queue.BadRate, match="between 1 and 100000"):
        queue.release(newsletter=imported, per_hour=rate, actor=None, now=timezone.now())
    with pytest.raises(CommandError, match="between 1 and 100000"):
        call_command("release_letters", "tech-news", per_hour=rate, yes=True, stdout=StringIO())


def test_the_command_says_what_would_happen_and_waits_for_a_yes(imported: Newsletter) -> None:
    out = StringIO()
    call_command("release_letters", "tech-news", per_hour=6, stdout=out)
    assert "12 readers of Tech News would get" in out.getvalue()
    assert queue.held(newsletter=imported) == 12

    call_command("release_letters", "tech-news", per_hour=6, yes=True, stdout=out)
    assert queue.held(newsletter=imported) == 0


def test_an_editor_sees_the_count_and_the_rate_and_releases_by_a_button(imported: Newsletter, client: Client) -> None:
    client.force_login(User.objects.create_superuser("chief"))
    address = f"/admin/subscribers/newsletter/{imported.pk}/release/"
    assert "12 readers to ask" in client.get("/admin/subscribers/newsletter/").content.decode()
    page = client.get(address).content.decode()
    assert "12 imported readers of Tech News" in page
    assert 'value="500"' in page
    assert queue.held(newsletter=imported) == 12

    assert client.post(address, {"per_hour": "0"}).status_code == 200
    assert client.post(address, {"per_hour": "100"}).status_code == 302
    assert queue.held(newsletter=imported) == 0


def test_only_who_may_change_a_newsletter_may_release(imported: Newsletter, client: Client) -> None:
    client.force_login(User.objects.create_user("author", is_staff=True))

    assert client.post(f"/admin/subscribers/newsletter/{imported.pk}/release/", {"per_hour": "100"}).status_code == 403
