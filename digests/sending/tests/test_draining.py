"""A worker that is asked to stop, in whichever way, passes it on to its lanes at once, and stops as Celery does."""

import mmap
import os
import signal
from collections.abc import Iterator

import pytest
from celery.signals import worker_ready, worker_shutting_down

from digests.sending import draining

NUMBERS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)


@pytest.fixture(autouse=True)
def own_byte_and_signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(draining, "_asked", mmap.mmap(-1, 1))
    known = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in known.items():
        signal.signal(number, handler)


def test_nobody_is_asked_before_the_worker_is() -> None:
    assert not draining.asked()


def test_celerys_own_word_is_heard() -> None:
    """As after a `shutdown` by remote control, which is no signal."""
    worker_shutting_down.send(sender="worker", sig="SIGTERM", how="warm", exitcode=0)
    assert draining.asked()


@pytest.mark.parametrize("number", NUMBERS)
def test_each_signal_is_heard_and_passed_on(number: signal.Signals) -> None:
    passed_on: list[int] = []
    for one in NUMBERS:
        signal.signal(one, lambda received, _frame: passed_on.append(received))
    worker_ready.send(sender="worker")
    assert not draining.asked()
    os.kill(os.getpid(), number)
    assert draining.asked()
    assert passed_on == [number]


def test_a_signal_that_nobody_handles_is_left_alone() -> None:
    signal.signal(signal.SIGQUIT, signal.SIG_IGN)
    worker_ready.send(sender="worker")
    assert signal.getsignal(signal.SIGQUIT) == signal.SIG_IGN
