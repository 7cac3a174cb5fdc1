"""A copy that was put off for what is not its own comes back within seconds, and after ever longer if that goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from digests.models import Issue
from digests.sending import claims, lanes, outcomes
from digests.sending.tests.conftest import states
from digests.sending.tests.pacing.test_relays import smtp, use
from postal import backoff, limiter
from postal.tests.redis_server import Server
from postal.transports.base import Outcome, Phase
from tests.faults import smtp_server
from tests.table import rows

Start = Callable[[int], Issue]
MINUTE = 60.0


@pytest.fixture(autouse=True)
def _own_redis(own_redis: Server) -> Server:
    return own_redis


def deferred(phase: Phase, code: str = "", reason: str = "why") -> Outcome:
    return Outcome(0, "deferred", phase, reason, code)


def put_off(issue: Issue, outcome: Outcome) -> float:
    """The seconds until the issue's one copy is due, after another attempt that ended so."""
    issue.deliveries.update(state="pending", due_at=None)
    batch = claims.claim(issue_id=issue.pk, after=0, limit=1)
    assert batch is not None
    copy = issue.deliveries.get()
    issue.deliveries.update(state="attempting", attempts=copy.attempts + 1)
    result = outcome._replace(delivery_id=batch.ids[0])
    assert outcomes.settle(batches=[batch], outcomes=[result], tripped=False) == 1
    copy.refresh_from_db()
    assert copy.due_at is not None
    return (copy.due_at - timezone.now()).total_seconds()


@pytest.mark.django_db
@rows(
    ("outcome", "attempts"),
    [
        (deferred(Phase.MAIL, "421 4.7.0"), 0),
        (deferred(Phase.RCPT, "421 4.3.2"), 0),
        (deferred(Phase.DATA, "421"), 0),
        (deferred(Phase.FINAL, "421 4.7.0"), 0),
        (deferred(Phase.RCPT, "451 4.7.650"), 0),
        (deferred(Phase.FINAL, "454", "Throttling failure: Maximum sending rate exceeded."), 0),
        # The session was lost under it: an attempt, but not the reader's fault.
        (deferred(Phase.RCPT), 1),
        (deferred(Phase.BODY), 1),
        # No session came about.
        (deferred(Phase.CONNECT), 0),
        (deferred(Phase.SESSION, "421 4.3.2"), 0),
    ],
)
def test_a_copy_that_was_put_off_for_our_pace_comes_back_within_seconds(
    sending: Start, outcome: Outcome, attempts: int
) -> None:
    issue = sending(1)
    assert put_off(issue, outcome) < 6
    assert issue.deliveries.get().attempts == attempts


@pytest.mark.django_db
@rows(
    "outcome",
    [
        deferred(Phase.RCPT, "450 4.2.0"),
        deferred(Phase.RCPT, "451 4.7.1", "Greylisted, come back in five minutes"),
        deferred(Phase.RCPT, "452 4.2.2", "Mailbox full"),
        deferred(Phase.FINAL, "451 4.3.0"),
        Outcome(0, "deferred", Phase.SESSION, "why", "454 4.7.0", about_us=True),
    ],
)
def test_what_is_the_readers_own_takes_minutes(sending: Start, outcome: Outcome) -> None:
    assert put_off(sending(1), outcome) > 0.8 * MINUTE


@pytest.mark.django_db
def test_over_and_over_it_waits_longer_each_time_and_then_as_long(sending: Start) -> None:
    issue = sending(1)
    waits = [put_off(issue, deferred(Phase.FINAL, "421 4.7.0")) for _ in range(11)]
    expected = [*backoff.SOON, backoff.SOON[-1], backoff.SOON[-1]]
    assert all(0.7 * least <= wait <= 1.3 * least for wait, least in zip(waits, expected, strict=True))


@pytest.mark.django_db
def test_what_the_reader_then_says_begins_with_the_first_minute(sending: Start) -> None:
    issue = sending(1)
    for _ in range(4):
        put_off(issue, deferred(Phase.MAIL, "421 4.7.0"))
    assert 0.8 * MINUTE < put_off(issue, deferred(Phase.RCPT, "450 4.2.0")) < 1.3 * MINUTE
    assert put_off(issue, deferred(Phase.MAIL, "421 4.7.0")) < 6, "and the seconds begin again too"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA", "DOT"])
def test_421_now_and_then_leaves_nobody_waiting(
    sending: Start, settings: Any, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One lane, one run: what was put off is sent by the same run that put it off."""
    monkeypatch.setattr(backoff, "SOON", [0.1])
    rules = [{"at": at, "match": r"reader\d*[05]\.", "each": 1, "do": "reply", "reply": "421 4.7.0 Slow down"}]
    if at == "MAIL":
        rules = [{"at": at, "on": 7, "do": "reply", "reply": "421 4.7.0 Slow down"}]
    with smtp_server.running({"rules": rules}) as server:
        use(settings, smtp(server.port))
        issue = sending(30)
        lanes.run(issue_id=issue.pk, lane=0)
        assert states(issue) == {"accepted": 30}
        assert set(server.copies().values()) == {1}


@pytest.mark.django_db(transaction=True)
def test_greylisting_of_some_readers_slows_nobody_down(sending: Start, settings: Any) -> None:
    rules = [{"at": "RCPT", "match": r"reader\d*[05]\.", "do": "reply", "reply": "450 4.2.0 Greylisted"}]
    with smtp_server.running({"rules": rules}) as server:
        use(settings, smtp(server.port))
        issue = sending(30)
        assert lanes.run(issue_id=issue.pk, lane=0) is lanes.Ending.IDLE
        by_state = states(issue)
        assert set(by_state) == {"accepted", "deferred"}
        assert by_state["accepted"] == len(server.copies()) == 30 - by_state["deferred"]
        assert limiter.shared().throttles() == {}
