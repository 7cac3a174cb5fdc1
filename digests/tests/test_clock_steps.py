"""The steps of a tick, when every wake-up was lost."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from digests import composing, tasks
from digests.models import Issue
from digests.sending import sweeper
from digests.sending import tasks as engine
from subscribers.models import Newsletter
from tests import clocks, threads
from tests.cast import Publish


def test_what_is_due_is_composed(newsletter: Newsletter, publish: Publish, now: datetime) -> None:
    publish("One", now - timedelta(hours=8))
    with clocks.at(now):
        tasks.tick()
    assert Issue.objects.filter(kind=Issue.Kind.DIGEST).exists()


def test_the_engine_is_woken_for_every_issue_that_has_work(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[int] = []

    def due(**_: Any) -> list[int]:
        return [7, 9]

    monkeypatch.setattr(sweeper, "sweep", due)
    monkeypatch.setattr(engine, "hint_wake", woken.append)
    tasks.tick()
    assert woken == [7, 9]


def looking(done: list[str]) -> Any:
    """Replaces the search for issues that have work."""

    def pump_nothing(**_: Any) -> list[int]:
        done.append("looked for issues")
        return []

    return pump_nothing


def test_long_composing_keeps_no_issue_from_being_sent(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(sweeper, "sweep", looking(done))
    monkeypatch.setattr(composing, "compose_due", lambda **_: done.append("composed"))
    tasks.tick()
    assert done == ["looked for issues", "composed"]


@pytest.mark.django_db(transaction=True)
def test_a_tick_that_meets_another_at_composing_does_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def compose(**_: Any) -> None:
        done.append("composed")
        assert threads.faults(tasks.tick) == []

    monkeypatch.setattr(sweeper, "sweep", looking(done))
    monkeypatch.setattr(composing, "compose_due", compose)
    tasks.tick()
    assert done == ["looked for issues", "composed", "looked for issues"]
