"""Copies older than RETENTION_DAYS are dropped, and no reader, editor or provider is worse off for it."""

from __future__ import annotations

import io
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from digests import freezing, stats
from digests.feedback import processing
from digests.models import Delivery, DeliveryEvent, Issue
from digests.sending import closing, history
from digests.tests import copies
from subscribers import links
from subscribers.models import Newsletter, Subscriber, Subscription, Suppression
from tests.cast import Staff
from tests.table import rows

State = Delivery.State
GONE: dict[str, Any] = {"reject_reason": "bounced", "mta_response": "550 5.1.1 no such user"}
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _retention(settings: Any) -> None:
    settings.RETENTION_DAYS = 61


@pytest.fixture
def reader(newsletter: Newsletter) -> Subscriber:
    return copies.reader(newsletter)


@pytest.fixture
def old(digest: Issue, reader: Subscriber, now: datetime) -> Issue:
    """An issue of two copies that ended on 6 May 2025; one was reported as delivered, of one nothing is known."""
    freezing.freeze(issue=digest, now=now)
    Issue.objects.filter(pk=digest.pk).update(
        state=Issue.State.SENDING, audience_count=2, planned_at=now, started_at=now
    )
    digest.refresh_from_db()
    copies.copy(digest, reader, State.ACCEPTED)
    copies.copy(digest, None, State.UNCERTAIN, reason="sender_stopped")
    ids = digest.deliveries.order_by("pk").values_list("pk", flat=True)
    Issue.objects.filter(pk=digest.pk).update(copies_after=ids[0] - 1, copies_until=ids[1])
    event = copies.event("delivered", digest.deliveries.get(subscriber=reader))
    processing.record(event=event, provider="Mailgun", now=now)
    closing.close(issue_id=digest.pk, now=now)
    digest.refresh_from_db()
    return digest


@pytest.fixture
def dropped(old: Issue, now: datetime) -> Issue:
    """The same, long after."""
    history.maintain(now=now + timedelta(hours=2))
    assert old.deliveries.count() == 2, "they are only moved yet"
    history.maintain(now=timezone.now())
    assert not old.deliveries.exists()
    old.refresh_from_db()
    return old


def words(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", BeautifulSoup(response.content, "html5lib").get_text(" "))


def test_the_month_and_what_was_said_of_its_copies_are_gone(dropped: Issue) -> None:
    assert dropped.deliveries_month not in history.months()
    assert not DeliveryEvent.objects.exists()


def test_what_is_younger_than_that_stays(old: Issue, settings: Any, now: datetime) -> None:
    settings.RETENTION_DAYS = (timezone.now() - now).days + 1

    history.maintain(now=timezone.now())

    assert old.deliveries.count() == 2


def test_the_archive_shows_the_issue(dropped: Issue, client: Client) -> None:
    assert "About third." in words(client, dropped.get_absolute_url())
    assert dropped.get_absolute_url() in client.get("/newsletters/tech-news/").content.decode()


def test_the_issues_page_has_its_numbers_and_nothing_to_decide(old: Issue, staff: Staff, now: datetime) -> None:
    publisher, address = staff("Publisher"), f"/admin/digests/issue/{old.pk}/change/"
    history.maintain(now=now + timedelta(hours=2))
    before = words(publisher, address)
    history.maintain(now=timezone.now())
    after = words(publisher, address)

    for shown in (before, after):
        assert "1 of 2 got it." in shown
        assert "Together 2 The whole audience." in shown
        assert "The sender stopped before the outcome was known." in shown
        assert "Reported since: 1 delivered" in shown
    assert "Decide one by one" in before
    assert "Decide one by one" not in after
    assert "The list of its copies was deleted because of its age" in after


def test_the_list_of_issues_has_its_numbers(dropped: Issue, staff: Staff) -> None:
    page = staff("Publisher").get("/admin/digests/issue/").content.decode()
    assert re.search(r"field-shown_readers[^>]*>\s*2\s*<", page)


def test_its_statistics_are_those_of_its_end(dropped: Issue) -> None:
    shown = stats.progress(dropped)

    assert (shown.total, shown.uncertain, shown.conserved) == (2, 1, True)
    assert stats.is_dropped(dropped)


def test_deliveries_says_in_a_sentence_that_the_copies_are_gone(dropped: Issue) -> None:
    with pytest.raises(CommandError, match=f"issue {dropped.pk} were deleted 61 days after its end") as error:
        call_command("deliveries", str(dropped.pk), stdout=io.StringIO())
    assert error.value.returncode == 1


@rows("decision", ["--accept", "--resend"])
def test_deciding_of_copies_that_are_gone_changes_nothing(dropped: Issue, decision: str) -> None:
    call_command("deliveries", str(dropped.pk), decision, "all", stdout=io.StringIO())
    closing.close(issue_id=dropped.pk, now=timezone.now())

    dropped.refresh_from_db()
    assert dropped.state == Issue.State.SENT_WITH_EXCEPTIONS
    assert stats.progress(dropped).total == 2


def test_the_reader_has_preferences_and_a_proof_and_can_leave(
    dropped: Issue, reader: Subscriber, newsletter: Newsletter, client: Client
) -> None:
    assert newsletter.name in words(client, links.preferences_url(subscriber=reader))
    out = io.StringIO()
    call_command("evidence", reader.address, stdout=out)
    assert '"kind": "confirmed"' in out.getvalue()

    subscription = reader.subscriptions.get()
    client.post(links.unsubscribe_url(subscription=subscription), {"List-Unsubscribe": "One-Click"})
    subscription.refresh_from_db()
    assert subscription.state == Subscription.State.UNSUBSCRIBED


def test_the_reader_can_be_erased(dropped: Issue, reader: Subscriber) -> None:
    call_command("erase", reader.address, stdout=io.StringIO())

    assert not Subscriber.objects.exists()


def test_why_a_reader_got_what_is_kept_is_still_there(
    dropped: Issue, reader: Subscriber, newsletter: Newsletter, staff: Staff
) -> None:
    recent = copies.issue(newsletter, state=Issue.State.SENT)
    copies.copy(recent, reader, State.ACCEPTED)

    shown = words(staff("Publisher"), f"/admin/digests/delivery/?q={reader.address}")

    assert recent.subject in shown
    assert str(dropped) not in shown


@pytest.fixture
def named(old: Issue, reader: Subscriber) -> Any:
    """An event that a provider tells long after, with the id that we gave it along with the copy."""
    copy = old.deliveries.get(subscriber=reader)

    def make(word: str, **fields: Any) -> Any:
        return copies.event(word, copy, **fields)

    return make


def parked(event: Any, now: datetime) -> datetime:
    """The event waits for its copy; returns the moment at which a day has passed."""
    row = processing.record(event=event, provider="Mailgun", now=now)
    assert row is not None
    assert row.settled_at is None
    return now + DAY


@pytest.mark.parametrize(
    ("word", "fields", "reason", "state"),
    [
        ("bounced", GONE, ["hard_bounce"], "confirmed"),
        ("complained", {}, ["complaint"], "unsubscribed"),
        ("unsubscribed", {}, [], "unsubscribed"),
        ("deferred", {}, [], "confirmed"),
        ("clicked", {}, [], "confirmed"),
    ],
)
def test_a_report_that_comes_after_that_counts_for_the_address(
    named: Any, dropped: Issue, reader: Subscriber, word: str, fields: dict[str, Any], reason: list[str], state: str
) -> None:
    now = timezone.now()
    later = parked(named(word, **fields), now)
    assert not Suppression.objects.exists()

    assert processing.settle(now=later) == 1

    assert list(Suppression.objects.values_list("reason", flat=True)) == reason
    assert reader.subscriptions.get().state == state
    assert not DeliveryEvent.objects.filter(settled_at=None).exists()
    assert dropped.event_counts.get().events == 1, "nothing is added to an issue that nobody knows"


def test_a_report_of_a_mail_that_may_be_anybodys_counts_for_nobody(dropped: Issue, reader: Subscriber) -> None:
    """Without the id that we gave along, another program may have sent it through the same provider."""
    later = parked(copies.event("complained", recipient=reader.address), timezone.now())

    processing.settle(now=later)

    assert not Suppression.objects.exists()
    assert reader.subscriptions.get().state == Subscription.State.CONFIRMED


def test_a_report_that_is_older_than_the_readers_last_confirmation_counts_for_nobody(
    named: Any, dropped: Issue, reader: Subscriber
) -> None:
    reader.subscriptions.update(confirmed_at=timezone.now())
    later = parked(named("bounced", **GONE), timezone.now())

    processing.settle(now=later)

    assert not Suppression.objects.exists()
