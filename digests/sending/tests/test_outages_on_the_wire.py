"""The database fails while copies are on the wire: they are answered, and their results are written afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import OperationalError, connection
from django.utils import timezone

from digests.models import Issue
from digests.sending import claims, closing, lanes, outcomes
from digests.sending.tests.conftest import ScriptedTransport, expire_leases, states
from postal import leases, transports
from postal.transports.base import Outcome

pytestmark = pytest.mark.django_db(transaction=True)

Start = Callable[[int], Issue]
READERS = 40


class Wire(ScriptedTransport):
    """Answers one copy after the other. After the fifth come the `steps`, one each time that the lane looks."""

    lease: leases.Lease

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Callable[[], object]] = []
        self.at_the_end: Callable[[], None] = lambda: None

    def ready(self) -> int:
        return READERS

    def results(self, timeout: float) -> list[Outcome]:
        if len(self.taken) == 5 and self.steps:
            self.steps.pop(0)()
            return []
        outcomes_now = [self.outcome()] if self.at_hand else []
        if outcomes_now and not self.at_hand:
            self.at_the_end()
        return outcomes_now


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Wire:
    wire = Wire()

    def for_settings(*, lease: leases.Lease) -> Wire:
        wire.lease = lease
        return wire

    settings.SENDING = replace(settings.SENDING, copies_in_flight=READERS)
    monkeypatch.setattr(transports, "for_settings", for_settings)
    return wire


class Outage:
    """Takes the database away, and brings it back; `after` how many seconds of sleeping, if anybody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.host = connection.settings_dict["HOST"]
        self.slept = 0.0
        self.after = float("inf")
        self._monkeypatch = monkeypatch

    def begin(self) -> None:
        connection.settings_dict["HOST"] = "/there/is/no/server"
        connection.close()

    def end(self) -> None:
        connection.settings_dict["HOST"] = self.host

    def hurry(self) -> None:
        """Have a second of sleep take no time, by every clock of the process."""
        clock = time.monotonic
        self._monkeypatch.setattr(time, "monotonic", lambda: clock() + self.slept)
        self._monkeypatch.setattr(time, "sleep", self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept += seconds
        if self.slept >= self.after:
            self.end()


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Outage]:
    outage = Outage(monkeypatch)
    yield outage
    outage.end()


def test_nobody_on_the_wire_waits_for_a_database_that_is_away(
    sending: Start, wire: Wire, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = sending(READERS)
    tried: list[int] = []
    settle = outcomes.settle

    def counted(**what: Any) -> int:
        tried.append(len(wire.taken))
        return settle(**what)

    wire.steps, wire.at_the_end = [outage.begin], outage.end
    monkeypatch.setattr(outcomes, "settle", counted)
    began = time.monotonic()
    assert lanes.run(issue_id=issue.pk, lane=0) == lanes.Ending.UNHELD
    assert time.monotonic() - began < 60, "it waited for the database while copies were on the wire"
    assert len(wire.taken) == READERS
    assert len([moment for moment in tried if 5 < moment < READERS]) == 1, "it tries again at its end only"
    assert states(issue) == {"accepted": READERS}


@pytest.mark.parametrize("begins", ["on the wire", "when all were answered"])
def test_after_three_minutes_without_a_database_every_result_is_written(
    sending: Start, wire: Wire, outage: Outage, begins: str
) -> None:
    """Meanwhile the leases ran out, the copies were called uncertain, and the issue was closed."""
    issue = sending(READERS)
    outage.after = 180
    if begins == "on the wire":
        wire.steps = [outage.begin, outage.hurry]
    else:
        wire.steps = [outage.hurry]
        wire.at_the_end = outage.begin
    end = outage.end

    def come_back() -> None:
        end()
        issue.deliveries.filter(state="attempting").update(state="uncertain", lease_until=None)
        closing.close(issue_id=issue.pk, now=timezone.now())

    outage.end = come_back  # type: ignore[method-assign]  # of this one outage
    lanes.run(issue_id=issue.pk, lane=0)
    issue.refresh_from_db()
    assert (issue.state, states(issue)) == (Issue.State.SENT, {"accepted": READERS})


def test_a_longer_outage_leaves_what_was_in_flight_on_the_list(sending: Start, wire: Wire, outage: Outage) -> None:
    """The lane ends before its task is cut off, and says what happened."""
    issue = sending(READERS + 3)
    wire.steps = [outage.begin, outage.hurry]
    with pytest.raises(OperationalError):
        lanes.run(issue_id=issue.pk, lane=0)
    assert 240 < outage.slept < configured.CELERY_TASK_SOFT_TIME_LIMIT
    outage.end()
    connection.close()
    expire_leases(issue, timezone.now() - timedelta(hours=1))
    claims.recover()
    assert states(issue) == {"uncertain": READERS, "pending": 3}


def test_a_lane_whose_machine_was_paused_learns_it_from_its_rows(
    sending: Start, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No clock of a virtual machine goes on meanwhile. Its lane was taken over, and its connection ended."""
    issue = sending(READERS)
    monkeypatch.setattr(leases, "clock", lambda: 1_000.0)
    held: list[bool] = []

    def look() -> None:
        held.append(wire.lease.is_held)

    def pause() -> None:
        expire_leases(issue, timezone.now() - timedelta(hours=1))
        assert claims.recover() == READERS
        connection.connection.close()
        look()
        # So that the lane writes its results, over a new connection.
        monkeypatch.setattr(time, "monotonic", lambda clock=time.monotonic: clock() + 2)

    wire.steps = [pause, look, look]
    assert lanes.run(issue_id=issue.pk, lane=0) == lanes.Ending.ASLEEP
    assert (held[0], held[-1]) == (True, False)
    # What had been answered by then, and what the test's wire goes on to answer, is settled all the same.
    assert states(issue) == {"accepted": READERS}


def test_leases_are_kept_over_a_connection_that_was_cut(
    sending: Start, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = sending(READERS)
    recovered: list[int] = []

    def wait() -> None:
        monkeypatch.setattr(time, "monotonic", lambda clock=time.monotonic: clock() + 60)

    def cut() -> None:
        connection.connection.close()
        wait()  # the lane fails on the dead connection

    def expire() -> None:
        expire_leases(issue, timezone.now() - timedelta(hours=1))
        wait()

    wire.steps = [cut, expire, lambda: recovered.append(claims.recover())]
    lanes.run(issue_id=issue.pk, lane=0)
    assert recovered == [0]
    assert states(issue) == {"accepted": READERS}
