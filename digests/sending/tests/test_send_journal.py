"""The notes of what left: whose they are, what they say of which issue, and that nobody waits for them."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.utils import timezone

from core import redis_client
from digests.models import Issue
from digests.sending import send_journal
from digests.sending.tests.conftest import frozen_issue
from subscribers.models import Newsletter
from tests.table import rows

pytestmark = pytest.mark.django_db

Start = Callable[[int], Issue]


@pytest.fixture(autouse=True)
def begin_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_journal, "_own", {})
    monkeypatch.setattr(send_journal.redis_breaker, "away_until", 0.0)


def note(issue: Issue, *, highest: int, fence: int) -> None:
    """One batch of a lane in a process of its own."""
    send_journal._own.clear()
    send_journal.Journal(issue_id=issue.pk, lane=0).note(delivery_id=highest, fence=fence, highest=highest)


def test_a_lane_that_tries_early_copies_again_forgets_no_later_ones(sending: Start) -> None:
    """In whichever process: else a restore would call those free to leave once more."""
    issue = sending(1)
    note(issue, highest=20, fence=1)
    note(issue, highest=2, fence=2)
    send_journal._own.clear()
    assert send_journal.highest(issue_id=issue.pk) == 20
    lane = send_journal.Journal(issue_id=issue.pk, lane=1)
    for highest in (30, 3):
        lane.note(delivery_id=highest, fence=40 - highest, highest=highest)
    assert send_journal.highest(issue_id=issue.pk) == 30


@rows(("state", "behind"), [("pending", True), ("claimed", True), ("attempting", False)])
def test_an_attempt_that_is_not_on_record_was_forgotten(sending: Start, state: str, behind: bool) -> None:
    issue = sending(1)
    issue.deliveries.update(state=state, fence=7, lease_until=timezone.now())
    note(issue, highest=issue.deliveries.get().pk, fence=7)
    assert send_journal.is_behind(issue_id=issue.pk) is behind


def test_notes_do_not_stay_for_ever(sending: Start) -> None:
    issue = sending(1)
    note(issue, highest=1, fence=1)
    send_journal.acknowledge(fence=1)
    client = redis_client.connect()
    keys = list(client.scan_iter(f"*:{send_journal.instance_id()}:*"))
    assert len(keys) == 3
    assert {0 < int(client.ttl(key)) <= send_journal.KEEP_SECONDS for key in keys} == {True}


def test_what_left_of_one_issue_says_nothing_of_another(sending: Start) -> None:
    """Else the readers of the second would be called uncertain after a restore, or free to get two."""
    first, second = sending(1), sending(1)
    send_journal.Journal(issue_id=first.pk, lane=0).note(delivery_id=99, fence=5, highest=99)
    assert send_journal.highest(issue_id=second.pk) == 0
    send_journal._own.clear()
    assert send_journal.highest(issue_id=second.pk) == 0
    assert send_journal.highest_fence() == 5


def test_the_latest_note_counts_no_matter_which_process_took_it(sending: Start) -> None:
    """Another process ran the lane since this one did."""
    issue = sending(1)
    send_journal.Journal(issue_id=issue.pk, lane=0).note(delivery_id=5, fence=1, highest=5)
    own = dict(send_journal._own)
    note(issue, highest=9, fence=2)
    send_journal._own.clear()
    send_journal._own.update(own)
    assert send_journal.highest(issue_id=issue.pk) == 9


def test_installations_with_another_prefix_have_notes_of_their_own(sending: Start, settings: Any) -> None:
    issue = sending(1)
    note(issue, highest=9, fence=2)
    send_journal._own.clear()
    settings.CACHES = {"default": settings.CACHES["default"] | {"KEY_PREFIX": "another"}}
    assert send_journal.highest(issue_id=issue.pk) == 0


def test_only_what_would_leave_now_says_why_it_does_not(newsletter: Newsletter, sending: Start) -> None:
    issue, due, later = sending(1), frozen_issue(newsletter), frozen_issue(newsletter)
    Issue.objects.filter(pk=later.pk).update(scheduled_for=timezone.now() + timedelta(hours=1))
    note(issue, highest=issue.deliveries.get().pk, fence=7)
    assert send_journal.is_behind(issue_id=issue.pk)
    reasons = dict(Issue.objects.values_list("pk", "state_reason"))
    assert reasons == {issue.pk: send_journal.REASON, due.pk: send_journal.REASON, later.pk: ""}


def test_a_redis_that_is_away_is_asked_once_in_some_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", "unix:///there/is/no/redis.sock")
    asked: list[int] = []

    def question(client: redis.Redis) -> Any:
        asked.append(1)
        return client.ping()

    assert send_journal.redis_breaker.ask(question) is None
    assert send_journal.redis_breaker.ask(question) is None
    assert asked == [1]
    monkeypatch.setattr(time, "monotonic", lambda clock=time.monotonic: clock() + redis_client.REST_SECONDS)
    assert send_journal.redis_breaker.ask(question) is None
    assert asked == [1, 1]


def test_a_redis_that_is_silent_holds_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        monkeypatch.setattr(settings, "REDIS_URL", f"unix://{tmp_path}/s")
        monkeypatch.setattr(redis_client, "SECONDS_TO_WAIT", 0.05)
        client = redis_client.connect()
        assert client.connection_pool.connection_kwargs["socket_timeout"], "or the rest of this test never ends"
        began = time.monotonic()
        assert send_journal.redis_breaker.ask(lambda known: known.ping()) is None
        assert time.monotonic() - began < 2
