"""Results that came while the database was away: each is written once, in its order, and they hold nobody up."""

from __future__ import annotations

import functools
import threading

import pytest
from django.db import InterfaceError, OperationalError, connection

from digests.sending import late


def at_it() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "late results"]


def test_each_is_written_once_and_in_its_order() -> None:
    """Two hands at one list would write one result twice, and another never."""
    keeper = late.Keeper()
    begun, go_on = threading.Event(), threading.Event()
    written: list[str] = []
    others = at_it()

    def slow() -> None:
        written.append("first")
        begun.set()
        assert go_on.wait(10)

    keeper.keep(slow)
    assert begun.wait(10)
    keeper.keep(lambda: written.append("second"))
    keeper.keep(lambda: written.append("third"))
    assert len([thread for thread in at_it() if thread not in others]) == 1
    assert not keeper.wait(0.01)
    go_on.set()
    assert keeper.wait(10)
    assert written == ["first", "second", "third"]


def test_whoever_comes_after_the_last_was_written_is_served_too() -> None:
    keeper = late.Keeper()
    written: list[str] = []
    for name in ("first", "second"):
        keeper.keep(functools.partial(written.append, name))
        assert keeper.wait(10)
    assert written == ["first", "second"]


def test_a_worker_that_stops_does_not_wait_for_an_outage_to_end() -> None:
    keeper = late.Keeper()
    go_on = threading.Event()
    keeper.keep(lambda: go_on.wait(10))
    assert all(thread.daemon for thread in at_it())
    go_on.set()
    assert keeper.wait(10)


@pytest.mark.parametrize("fault", [OperationalError, InterfaceError])
def test_whatever_the_driver_calls_an_outage_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    monkeypatch.setattr(late, "LOOK_SECONDS", 0.01)
    faults = [fault, fault]
    written: list[int] = []

    def write() -> None:
        if faults:
            raise faults.pop()
        written.append(1)

    keeper = late.Keeper()
    keeper.keep(write)
    assert keeper.wait(10)
    assert (faults, written) == ([], [1])


@pytest.mark.django_db(transaction=True)
def test_its_connection_is_given_back() -> None:
    used = []

    def write() -> None:
        connection.ensure_connection()
        used.append(connection.connection)

    keeper = late.Keeper()
    keeper.keep(write)
    assert keeper.wait(10)
    assert [each.closed for each in used] == [True]
