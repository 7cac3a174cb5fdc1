"""The database fails while copies are on the wire: they are answered, and their answers are written afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from digests.models import Issue
from digests.sending import claims, deferred_results, lanes, leases, outcomes
from digests.sending.tests.conftest import ToldTransport, accepted, expire_leases, states
from postal import transports
from postal.transports.base import Copy, Held, More, Outcome, always, nothing_more

pytestmark = pytest.mark.django_db(transaction=True)

Start = Callable[[int], Issue]
READERS = 40


class Wire(ToldTransport):
    """Answers one copy after the other and asks for more in between; `between` happens after the fifth."""

    between: Callable[[More], None]
    is_held: Held
    after: Callable[[], None] = staticmethod(lambda: None)

    def hand_over(
        self, copies: Sequence[Copy], *, more: More = nothing_more, is_held: Held = always
    ) -> Iterator[Outcome]:
        self.is_held = is_held
        for number, copy in enumerate(copies):
            if number == 5:
                self.between(more)
            self.taken.append(copy)
            yield accepted(copy)
            more()
        self.after()


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Wire:
    wire = Wire()
    settings.SENDING = replace(settings.SENDING, copies_in_flight=READERS)
    monkeypatch.setattr(transports, "for_settings", lambda: wire)
    return wire


def test_nobody_on_the_wire_waits_for_a_database_that_is_away(
    sending: Start, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = sending(READERS)
    tried: list[int] = []
    settle = outcomes.settle

    def counted(**told: Any) -> int:
        tried.append(len(wire.taken))
        return settle(**told)

    def go(_: More) -> None:
        known.append(connection.settings_dict["HOST"])
        connection.settings_dict["HOST"] = "/there/is/no/server"
        connection.close()

    def come_back() -> None:
        connection.settings_dict["HOST"] = known[0]

    known: list[str] = []
    wire.between, wire.after = go, come_back
    monkeypatch.setattr(outcomes, "settle", counted)
    assert lanes.run(issue_id=issue.pk, lane=0) == lanes.Ending.UNHELD
    assert deferred_results.wait(10)
    assert len(wire.taken) == READERS
    assert len([moment for moment in tried if 5 < moment < READERS]) == 1, "only who finds out tries"
    assert states(issue) == {"accepted": READERS}


def test_a_lane_whose_machine_was_paused_learns_it_from_its_rows(
    sending: Start, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No clock of a virtual machine goes on meanwhile. Its lane was taken over, and its connection ended."""
    issue = sending(READERS)
    monkeypatch.setattr(leases, "clock", lambda: 1_000.0)
    held: list[bool] = []

    def pause(more: More) -> None:
        expire_leases(issue, timezone.now() - timedelta(hours=1))
        assert claims.recover() == READERS
        connection.connection.close()
        held.append(wire.is_held())
        monkeypatch.setattr(time, "monotonic", lambda clock=time.monotonic: clock() + 2)
        more()  # writes its results over a new connection
        more()
        held.append(wire.is_held())

    wire.between = pause
    assert lanes.run(issue_id=issue.pk, lane=0) == lanes.Ending.ASLEEP
    assert held == [True, False]
    # What had been answered by then, and what the test's wire goes on to answer, is settled all the same.
    assert states(issue) == {"accepted": READERS}


def test_leases_are_kept_over_a_connection_that_was_cut(
    sending: Start, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue = sending(READERS)
    renewed: list[int] = []

    def cut(more: More) -> None:
        connection.connection.close()
        monkeypatch.setattr(time, "monotonic", lambda clock=time.monotonic: clock() + 60)
        more()  # fails on the dead connection
        expire_leases(issue, timezone.now() - timedelta(hours=1))
        monkeypatch.setattr(time, "monotonic", lambda clock=time.monotonic: clock() + 60)
        more()
        renewed.append(claims.recover())

    wire.between = cut
    lanes.run(issue_id=issue.pk, lane=0)
    assert renewed == [0]
    assert states(issue) == {"accepted": READERS}
