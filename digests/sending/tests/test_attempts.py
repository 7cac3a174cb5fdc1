"""Recording attempts: what goes on record of those who get a copy, of those who do not, and of nobody else."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from articles.models import Article, Section
from core import prepared_statements
from digests.models import Issue, IssueItem
from digests.sending import attempts, claims, merge
from digests.sending.tests.conftest import states
from digests.sending.tests.test_races import in_thread
from mailkit import addresses
from postal.transports.base import Copy
from subscribers import demands, suppression
from subscribers.models import LegalVersion, Newsletter, Subscription, Suppression

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]


def claimed(issue: Issue) -> tuple[claims.Batch, merge.Merger]:
    batch = claims.claim(issue_id=issue.pk, after=0, limit=50)
    assert batch is not None
    return batch, merge.Merger(Issue.objects.select_related("newsletter", "snapshot").get(pk=issue.pk), needs="payload")


def attempt(issue: Issue) -> list[Copy]:
    batch, merger = claimed(issue)
    return attempts.record_attempts(batch=batch, merger=merger, lease_seconds=300)


def readers(issue: Issue) -> list[Subscription]:
    return list(Subscription.objects.filter(newsletter=issue.newsletter).order_by("pk"))


def suppress(reader: Subscription) -> None:
    key = addresses.normalise(reader.subscriber.address).key
    suppression.suppress(address_key=key, reason=Suppression.Reason.COMPLAINT, actor=None, now=timezone.now())


def test_an_attempt_counts_has_its_hour_and_is_held(sending: Start) -> None:
    issue = sending(1)
    issue.deliveries.update(attempts=2)
    assert len(attempt(issue)) == 1
    copy = issue.deliveries.get()
    assert (copy.state, copy.attempts) == ("attempting", 3)
    assert copy.attempted_at is not None
    assert copy.lease_until is not None
    assert 290 < (copy.lease_until - timezone.now()).total_seconds() <= 300


def test_why_somebody_got_none_is_on_record(sending: Start) -> None:
    issue = sending(6)
    gets, left, weekly, paused, was_paused, suppressed = readers(issue)
    elsewhere = Newsletter.objects.create(name="Another", slug="another", description="Another one.")
    Subscription.objects.create(
        subscriber=left.subscriber,
        newsletter=elsewhere,
        cadence="daily",
        state=Subscription.State.CONFIRMED,
        consent_event=left.consent_event,
    )
    Subscription.objects.filter(pk=left.pk).update(state=Subscription.State.UNSUBSCRIBED)
    Subscription.objects.filter(pk=weekly.pk).update(cadence="weekly")
    Subscription.objects.filter(pk=paused.pk).update(paused_until=timezone.now() + timedelta(days=1))
    Subscription.objects.filter(pk=was_paused.pk).update(paused_until=timezone.now() - timedelta(days=1))
    for reader in (was_paused, suppressed):
        suppress(reader)

    assert [copy.recipient for copy in attempt(issue)] == [gets.subscriber.address]

    left_out = issue.deliveries.exclude(state="attempting")
    assert dict(left_out.values_list("subscriber", "reason")) == {
        left.subscriber_id: "unsubscribed",
        weekly.subscriber_id: "cadence_changed",
        paused.subscriber_id: "reader_paused",
        was_paused.subscriber_id: "suppressed",
        suppressed.subscriber_id: "suppressed",
    }
    assert set(left_out.values_list("state", "lease_until")) == {("suppressed", None)}
    assert not left_out.filter(settled_at=None).exists()


def test_a_text_that_is_demanded_meanwhile_holds_the_next_batch(sending: Start, texts: list[LegalVersion]) -> None:
    issue = sending(1)
    demands.demand(newsletter=issue.newsletter, version=texts[0], actor=None, now=timezone.now())

    assert attempt(issue) == []

    assert issue.deliveries.values_list("state", "reason").get() == ("suppressed", "text_not_agreed")


def test_a_letter_is_for_every_cadence(sending: Start) -> None:
    issue = sending(3)
    Issue.objects.filter(pk=issue.pk).update(cadence="", kind=Issue.Kind.LETTER)
    _, weekly, suppressed = readers(issue)
    Subscription.objects.filter(pk=weekly.pk).update(cadence="weekly")
    suppress(suppressed)
    assert len(attempt(issue)) == 2
    assert issue.deliveries.get(state="suppressed").reason == "suppressed"


def test_a_copy_that_cannot_be_built_is_tried_three_times(sending: Start) -> None:
    issue = sending(1)
    for failures in (1, 2):
        batch, merger = claimed(issue)
        merger.values = lambda row: {}  # type: ignore[method-assign]  # a slot without a value
        assert attempts.record_attempts(batch=batch, merger=merger, lease_seconds=300) == []
        copy = issue.deliveries.get()
        assert (copy.state, copy.render_failures, copy.lease_until) == ("pending", failures, None)
    batch, merger = claimed(issue)
    merger.values = lambda row: {}  # type: ignore[method-assign]  # as above
    attempts.record_attempts(batch=batch, merger=merger, lease_seconds=300)
    copy = issue.deliveries.get()
    assert (copy.state, copy.render_failures, copy.lease_until) == ("render_failed", 3, None)
    assert (copy.reason, copy.settled_at is None) == ("not_built", False)


def test_nobody_else_is_touched_when_copies_cannot_be_built(sending: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a reader who left meanwhile, nor what another lane holds, nor what has been attempted."""
    issue = sending(4)
    batch, merger = claimed(issue)
    broken, left, taken, attempted = issue.deliveries.order_by("pk")
    Subscription.objects.filter(subscriber=left.subscriber).update(state=Subscription.State.UNSUBSCRIBED)
    issue.deliveries.filter(pk=taken.pk).update(fence=batch.fence + 1)
    issue.deliveries.filter(pk=attempted.pk).update(state="attempting")
    monkeypatch.setattr(merger, "copies", lambda rows: ([], [broken.pk, taken.pk, attempted.pk]))

    assert attempts.record_attempts(batch=batch, merger=merger, lease_seconds=300) == []

    assert list(issue.deliveries.order_by("pk").values_list("state", "render_failures")) == [
        ("pending", 1), ("suppressed", 0), ("claimed", 0), ("attempting", 0),
    ]  # fmt: skip


def test_a_row_that_was_freed_while_its_copy_was_built_is_not_attempted(
    sending: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease ran out: the lane that claims it next sends it."""
    issue = sending(2)
    batch, merger = claimed(issue)
    built = merger.copies

    def slowly(*, rows: list[merge.Row]) -> tuple[list[Copy], list[int]]:
        copies = built(rows=rows)
        issue.deliveries.filter(pk=batch.ids[0]).update(state="pending", lease_until=None)
        return copies

    monkeypatch.setattr(merger, "copies", slowly)
    recorded = attempts.record_attempts(batch=batch, merger=merger, lease_seconds=300)
    assert [copy.delivery_id for copy in recorded] == [batch.ids[1]]
    assert states(issue) == {"pending": 1, "attempting": 1}


def test_attempts_are_recorded_whole_or_not_at_all(sending: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = sending(2)
    suppress(readers(issue)[0])
    batch, merger = claimed(issue)
    monkeypatch.setattr(attempts, "_reasons", lambda _issue: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        attempts.record_attempts(batch=batch, merger=merger, lease_seconds=300)
    assert states(issue) == {"claimed": 2}


@pytest.fixture
def story(sending: Start) -> Article:
    now = timezone.now()
    return Article.objects.create(
        headline="A story", slug="a-story", section=Section.objects.create(name="News", slug="news"),
        state=Article.State.WITHDRAWN, published_at=now, first_published_at=now, body_sha256="0" * 64,
    )  # fmt: skip


def test_a_story_that_was_left_out_may_be_withdrawn(sending: Start, story: Article) -> None:
    issue = sending(1)
    IssueItem.objects.create(issue=issue, article=story, included=False)
    assert len(attempt(issue)) == 1


def test_a_paused_issue_gives_its_rows_back_whatever_became_of_its_stories(sending: Start, story: Article) -> None:
    issue = sending(2)
    IssueItem.objects.create(issue=issue, article=story)
    batch, merger = claimed(issue)
    Issue.objects.filter(pk=issue.pk).update(state=Issue.State.PAUSED)
    assert attempts.record_attempts(batch=batch, merger=merger, lease_seconds=300) == []
    assert states(issue) == {"pending": 2}


class TestCommitInDoubt:
    """The connection was lost in the commit of the attempts: a new one is asked what is on record."""

    pytestmark = pytest.mark.django_db(transaction=True)

    def in_doubt(self, issue: Issue) -> tuple[claims.Batch, list[Copy]]:
        batch, merger = claimed(issue)
        return batch, attempts.record_attempts(batch=batch, merger=merger, lease_seconds=300)

    def test_what_another_lane_attempted_since_is_not_ours(self, sending: Start) -> None:
        issue = sending(3)
        batch, copies = self.in_doubt(issue)
        taken, freed, ours = issue.deliveries.order_by("pk")
        issue.deliveries.filter(pk=taken.pk).update(fence=batch.fence + 1)
        issue.deliveries.filter(pk=freed.pk).update(state="claimed")
        lease = timezone.now() + timedelta(seconds=1)
        issue.deliveries.update(lease_until=lease)

        recorded = attempts._read_back(copies, batch, 300)

        assert [copy.delivery_id for copy in recorded] == [ours.pk]
        extended = issue.deliveries.filter(lease_until__gt=lease + timedelta(minutes=1))
        assert [one.pk for one in extended] == [ours.pk]

    def test_it_waits_until_the_commit_has_an_end(self, sending: Start) -> None:
        """The server may still be at it when the new connection asks."""
        issue = sending(2)
        batch, merger = claimed(issue)
        with ThreadPoolExecutor(1) as pool:
            with transaction.atomic():
                copies = attempts.record_attempts(batch=batch, merger=merger, lease_seconds=300)
                reading = pool.submit(in_thread(lambda: attempts._read_back(copies, batch, 300)))
                with pytest.raises(TimeoutError):
                    reading.result(0.3)
            assert reading.result(10) == copies

    def test_a_database_that_stays_away_is_waited_for(self, sending: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        issue = sending(2)
        batch, copies = self.in_doubt(issue)
        honest, failures = prepared_statements.rows, [OperationalError("starting up")] * 3
        waited: list[float] = []

        def rows(sql: str, parameters: Any) -> list[tuple[Any, ...]]:
            if failures:
                raise failures.pop()
            return honest(sql, parameters)

        monkeypatch.setattr(prepared_statements, "rows", rows)
        monkeypatch.setattr(time, "sleep", waited.append)
        assert attempts._read_back(copies, batch, 300) == copies
        assert len(waited) == 3

    def test_a_connection_that_was_cut_is_replaced(self, sending: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        batch, copies = self.in_doubt(sending(1))
        monkeypatch.setattr(time, "sleep", lambda _seconds: None)
        connection.connection.close()
        assert attempts._read_back(copies, batch, 1) == copies

    def test_before_the_commit_nothing_is_in_doubt(self, sending: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        """So nobody waits for the database: the lease frees the rows."""
        batch, merger = claimed(sending(1))

        def rows(sql: str, parameters: Any) -> list[tuple[Any, ...]]:
            raise OperationalError

        monkeypatch.setattr(prepared_statements, "rows", rows)
        monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("there is nothing to wait for"))
        with pytest.raises(OperationalError):
            attempts.record_attempts(batch=batch, merger=merger, lease_seconds=300)

    def test_but_no_longer_than_a_lease(self, sending: Start, monkeypatch: pytest.MonkeyPatch) -> None:
        batch, copies = self.in_doubt(sending(1))

        def rows(sql: str, parameters: Any) -> list[tuple[Any, ...]]:
            raise OperationalError

        monkeypatch.setattr(prepared_statements, "rows", rows)
        monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("its time is over"))
        with pytest.raises(OperationalError):
            attempts._read_back(copies, batch, -1)
