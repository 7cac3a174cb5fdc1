"""What each tick of the clock does by itself, though every hint was lost."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from digests import tasks
from digests.models import Issue
from digests.sending import pump
from digests.sending import tasks as engine
from digests.tests.conftest import Release
from subscribers.models import Newsletter


def test_what_is_due_is_composed(newsletter: Newsletter, release: Release, now: datetime) -> None:
    release("One", now - timedelta(hours=8))
    with time_machine.travel(now):
        tasks.tick()
    assert Issue.objects.filter(kind=Issue.Kind.DIGEST).exists()


def test_the_engine_is_woken_for_every_issue_that_has_work(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[int] = []

    def due(**_: Any) -> list[int]:
        return [7, 9]

    monkeypatch.setattr(pump, "pump", due)
    monkeypatch.setattr(engine, "hint_wake", woken.append)
    tasks.tick()
    assert woken == [7, 9]
