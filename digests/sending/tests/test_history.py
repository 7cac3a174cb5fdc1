"""What becomes of copies after their issue has ended: they move, they are found where they are, one day they go."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.test import Client
from django.utils import timezone

from digests import stats, uncertain
from digests.feedback import processing
from digests.models import Delivery, DeliveryEvent, Issue
from digests.sending import claims, history, lanes, send_journal
from digests.sending.tests.conftest import ScriptedTransport, accepted, refuse, states
from digests.tests import copies
from postal.transports.base import Phase
from subscribers import consent, erasure, suppression
from subscribers.models import Subscriber
from tests import ownership
from tests.clearing import SET_TRIGGERS_ASIDE

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]
READERS = 7
NOVEMBER = date(2025, 11, 1)
ENDED = datetime(2025, 11, 30, 23, 30, tzinfo=UTC)
LATER = ENDED + timedelta(hours=2)
BYTES = 200


@pytest.fixture
def ended(sending: Start, transport: ScriptedTransport) -> Issue:
    """An issue of which all copies have left, but for one whose answer was lost."""
    issue = sending(READERS)
    lost = issue.deliveries.earliest("pk").pk
    lose = refuse("uncertain", Phase.FINAL)
    transport.verdict = lambda copy: lose(copy) if copy.delivery_id == lost else accepted(copy)
    lanes.run(issue_id=issue.pk, lane=0)
    transport.verdict = accepted
    Issue.objects.filter(pk=issue.pk).update(finished_at=ENDED)
    issue.refresh_from_db()
    return issue


@pytest.fixture
def moved(ended: Issue) -> Issue:
    history.maintain(now=LATER)
    ended.refresh_from_db()
    return ended


def rows(issue: Issue) -> list[dict[str, Any]]:
    return [dict(row) for row in issue.deliveries.order_by("pk").values()]


def in_partition(name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {name}")  # noqa: S608  # our own partitions
        return int(cursor.fetchone()[0])


def test_copies_move_to_the_month_in_which_their_issue_ended_and_nothing_of_them_changes(ended: Issue) -> None:
    before = rows(ended)
    history.maintain(now=LATER)
    assert rows(ended) == [row | {"month": NOVEMBER} for row in before]
    ended.refresh_from_db()
    assert ended.deliveries_month == NOVEMBER
    assert (in_partition("digests_delivery_open"), in_partition("digests_delivery_2025_11")) == (0, READERS)
    assert stats.progress(ended).conserved


def test_copies_move_in_their_order_wherever_their_rows_are(ended: Issue) -> None:
    """Else the pages of the index of uuids, which grow in that order, are two thirds full."""
    for copy in ended.deliveries.order_by("-pk")[2:]:
        Delivery.objects.filter(pk=copy.pk).update(attempts=2)
    history.maintain(now=LATER)
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM digests_delivery_2025_11 ORDER BY ctid")
        places = [row[0] for row in cursor.fetchall()]
    assert places == sorted(places)


def test_within_the_hour_after_the_end_results_may_still_come(ended: Issue) -> None:
    history.maintain(now=ENDED + timedelta(minutes=59))
    ended.refresh_from_db()
    assert (ended.deliveries_month, in_partition("digests_delivery_open")) == (None, READERS)


@pytest.mark.parametrize("state", [Issue.State.SENDING, Issue.State.PAUSED])
def test_of_an_issue_under_way_nothing_moves(sending: Start, state: str) -> None:
    issue = sending(READERS)
    Issue.objects.filter(pk=issue.pk).update(state=state)
    history.maintain(now=timezone.now() + timedelta(days=30))
    assert Delivery.objects.under_way().count() == READERS


def test_a_large_issue_moves_in_bounded_steps_and_goes_on_where_it_was(
    ended: Issue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "CHUNK", 2)
    history.maintain(now=LATER, seconds=-1)
    assert Delivery.objects.under_way().count() == READERS
    move, done = history._move_chunk, list[int]()

    def interrupted(**values: Any) -> bool:
        is_moved = move(**values)
        done.append(1)
        if len(done) == 2:
            raise KeyboardInterrupt
        return is_moved

    monkeypatch.setattr(history, "_move_chunk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        history.maintain(now=LATER)
    assert Delivery.objects.under_way().count() == READERS - 4
    ended.refresh_from_db()
    assert ended.deliveries_month is None
    assert stats.progress(ended).conserved
    history.maintain(now=LATER)
    assert Delivery.objects.under_way().count() == 0


def test_the_engine_sees_no_copy_that_moved(moved: Issue) -> None:
    assert claims.claim(issue_id=moved.pk, after=0, limit=READERS) is None
    assert claims.recover() == claims.expire() == 0
    assert not send_journal.is_behind(issue_id=moved.pk)


def test_the_database_refuses_to_move_what_may_still_leave(sending: Start, moved: Issue) -> None:
    issue = sending(1)
    with pytest.raises(DatabaseError, match="delivery_moved_is_settled"), transaction.atomic():
        issue.deliveries.update(month=NOVEMBER)


def test_a_late_report_finds_its_copy(moved: Issue) -> None:
    copy = moved.deliveries.get(state="uncertain")
    event = copies.event("delivered", copy)
    processing.record(event=event, provider="mailgun", now=timezone.now())
    copy.refresh_from_db()
    moved.refresh_from_db()
    assert (copy.state, moved.state) == ("accepted", Issue.State.SENT)


def test_a_late_bounce_suppresses_its_reader(moved: Issue) -> None:
    copy = moved.deliveries.filter(state="accepted")[0]
    assert copy.subscriber is not None
    event = copies.event("bounced", copy, reject_reason="bounced", mta_response="550 5.1.1 No such user")
    processing.record(event=event, provider="mailgun", now=timezone.now())
    assert suppression.is_suppressed(copy.subscriber.address_key)


def test_an_erased_reader_leaves_the_copy_behind(moved: Issue) -> None:
    reader = moved.deliveries.filter(state="accepted")[0].subscriber
    assert reader is not None
    erasure.erase(address_key=reader.address_key, evidence=consent.Evidence(), actor=None, now=timezone.now())
    assert (moved.deliveries.count(), moved.deliveries.filter(subscriber=None).count()) == (READERS, 1)


@pytest.mark.django_db(transaction=True)
def test_an_erasure_and_a_move_do_not_wait_for_each_other_in_a_circle(ended: Issue) -> None:
    """Both lock the reader before the copy; else the one that came first could never end."""
    reader = ended.deliveries.latest("pk").subscriber
    assert reader is not None
    faults: list[DatabaseError] = []

    def move() -> None:
        try:
            history.maintain(now=LATER)
        except DatabaseError as fault:
            faults.append(fault)
        finally:
            connections.close_all()

    thread = threading.Thread(target=move)
    with transaction.atomic():
        Subscriber.objects.select_for_update().get(pk=reader.pk)
        thread.start()
        thread.join(0.5)
        erasure.erase(address_key=reader.address_key, evidence=consent.Evidence(), actor=None, now=timezone.now())
    thread.join(10)
    assert faults == []
    assert (ended.deliveries.filter(month=NOVEMBER).count(), ended.deliveries.filter(subscriber=None).count()) == (
        READERS,
        1,
    )


def test_a_copy_that_a_person_sends_again_comes_back_and_moves_once_more(
    moved: Issue, transport: ScriptedTransport, settings: Any
) -> None:
    transport.taken.clear()
    assert uncertain.resend(issue=moved, deliveries=None, actor=None, now=timezone.now()) == 1
    assert Delivery.objects.under_way().count() == 1
    lanes.run(issue_id=moved.pk, lane=0)
    moved.refresh_from_db()
    assert (len(transport.taken), moved.state, moved.deliveries_month) == (1, Issue.State.SENT, None)
    assert stats.progress(moved).conserved
    # The first copies are older than that, but belong to an issue that ended today.
    settings.RETENTION_DAYS = 100
    history.maintain(now=timezone.now() + timedelta(hours=2))
    assert states(moved) == {"accepted": READERS}
    assert not Delivery.objects.under_way().exists()


def test_partitions_are_there_before_their_month_begins() -> None:
    history.maintain(now=datetime(2027, 1, 31, 12, tzinfo=UTC))
    assert {date(2027, 1, 1), date(2027, 2, 1)} <= set(history.months())


def test_copies_and_what_was_said_of_them_go_when_their_month_is_older_than_the_retention(
    moved: Issue, settings: Any, client: Client
) -> None:
    settings.RETENTION_DAYS = 100
    copy = moved.deliveries.filter(state="accepted")[0]
    processing.record(event=copies.event("delivered", copy), provider="mailgun", now=ENDED)
    end_of_month = datetime(2025, 12, 1, tzinfo=UTC)
    history.maintain(now=end_of_month + timedelta(days=100, seconds=-1))
    assert moved.deliveries.count() == READERS

    history.maintain(now=end_of_month + timedelta(days=100))

    assert NOVEMBER not in history.months()
    assert (moved.deliveries.count(), DeliveryEvent.objects.count()) == (0, 0)
    assert client.get(moved.get_absolute_url()).status_code == 200


def test_what_is_said_later_than_the_retention_of_a_copy_that_is_gone_harms_nothing(
    moved: Issue, settings: Any
) -> None:
    settings.RETENTION_DAYS = 60
    copy = moved.deliveries.filter(state="accepted")[0]
    history.maintain(now=ENDED + timedelta(days=200))
    assert processing.record(event=copies.event("bounced", copy), provider="mailgun", now=timezone.now())


def test_the_database_drops_no_month_that_is_young(db: None) -> None:
    month = timezone.now().date().replace(day=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT digests_add_month(%s)", [month])
        with pytest.raises(DatabaseError, match="too young"), transaction.atomic():
            cursor.execute("SELECT digests_drop_month(%s)", [month])


def test_a_copy_that_moved_takes_at_most_200_bytes_with_its_indexes(sending: Start) -> None:
    """30 issues of a month, as readers of a daily digest get them, from a server that says "queued as"."""
    size = 90_000
    fill(sending(0), size)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('digests_delivery_2025_11')")
        assert cursor.fetchone()[0] / size <= BYTES


def fill(issue: Issue, size: int) -> None:
    """Write `size` copies of one month, in the order in which `history` moves them."""
    with ownership.owner(), connection.cursor() as cursor:
        cursor.execute("SELECT digests_add_month(%s)", [NOVEMBER])
        # These readers and issues are not there.
        cursor.execute(SET_TRIGGERS_ASIDE)
        cursor.execute(
            "INSERT INTO digests_delivery (uuid, issue_id, subscriber_id, attempted_at, settled_at, fence, month,"
            " attempts, disturbances, render_failures, state, reason, remote_id)"
            " SELECT uuidv7(), %s + day, reader, now(), now(), 1, %s, 1, 0, 0, 'accepted', '',"
            " '4Xk' || substr(md5(day || ' ' || reader), 1, 12)"
            " FROM generate_series(1, 30) AS day, generate_series(1, %s) AS reader",
            [issue.pk, NOVEMBER, size // 30],
        )
