"""Results that came while the database was away: each is written once, in its order, and they hold nobody up."""

from __future__ import annotations

import functools
import threading

import pytest
from django.db import InterfaceError, OperationalError, connection

from digests.sending import deferred_results


def at_it() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "late results"]


def test_each_is_written_once_and_in_its_order() -> None:
    """Two hands at one list would write one result twice, and another never."""
    writer = deferred_results.ResultWriter()
    begun, go_on = threading.Event(), threading.Event()
    written: list[str] = []
    others = at_it()

    def slow() -> None:
        written.append("first")
        begun.set()
        assert go_on.wait(10)

    writer.defer(slow)
    assert begun.wait(10)
    writer.defer(lambda: written.append("second"))
    writer.defer(lambda: written.append("third"))
    assert len([thread for thread in at_it() if thread not in others]) == 1
    assert not writer.wait(0.01)
    go_on.set()
    assert writer.wait(10)
    assert written == ["first", "second", "third"]


def test_whoever_comes_after_the_last_was_written_is_served_too() -> None:
    writer = deferred_results.ResultWriter()
    written: list[str] = []
    for name in ("first", "second"):
        writer.defer(functools.partial(written.append, name))
        assert writer.wait(10)
    assert written == ["first", "second"]


def test_a_worker_that_stops_does_not_wait_for_an_outage_to_end() -> None:
    writer = deferred_results.ResultWriter()
    go_on = threading.Event()
    writer.defer(lambda: go_on.wait(10))
    assert all(thread.daemon for thread in at_it())
    go_on.set()
    assert writer.wait(10)


@pytest.mark.parametrize("fault", [OperationalError, InterfaceError])
def test_whatever_the_driver_calls_an_outage_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    monkeypatch.setattr(deferred_results, "LOOK_SECONDS", 0.01)
    faults = [fault, fault]
    written: list[int] = []

    def write() -> None:
        if faults:
            raise faults.pop()
        written.append(1)

    writer = deferred_results.ResultWriter()
    writer.defer(write)
    assert writer.wait(10)
    assert (faults, written) == ([], [1])


@pytest.mark.django_db(transaction=True)
def test_its_connection_is_given_back() -> None:
    used = []

    def write() -> None:
        connection.ensure_connection()
        used.append(connection.connection)

    writer = deferred_results.ResultWriter()
    writer.defer(write)
    assert writer.wait(10)
    assert [each.closed for each in used] == [True]
