"""Completed work, not running processes, proves that the system works."""

import socket
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.core.cache import cache
from django.utils import timezone

from digests import composing, heartbeat, tasks


def test_a_tick_of_the_clock_is_a_beat(db: None) -> None:
    assert heartbeat.age(work="clock", now=timezone.now()) is None

    tasks.tick()

    age = heartbeat.age(work="clock", now=timezone.now())
    assert age is not None
    assert age < 60
    assert not heartbeat.clock_is_late(now=timezone.now())
    assert heartbeat.clock_is_late(now=timezone.now() + timedelta(minutes=5))


def test_a_step_that_fails_is_in_the_log_and_not_here(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*, now: datetime) -> None:
        raise RuntimeError

    monkeypatch.setattr(composing, "compose_due", fail)
    tasks.tick()
    assert heartbeat.age(work="clock", now=timezone.now()) is not None


def test_an_old_beat_is_not_forgotten(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    """It would be unknown, which is no alarm, just when the clock has stood for long."""
    monkeypatch.setattr(cache, "default_timeout", 0, raising=False)
    heartbeat.beat(work="clock", now=now)
    assert heartbeat.clock_is_late(now=now + timedelta(days=9))


def test_a_beat_of_a_clock_that_goes_ahead_is_of_now(now: datetime) -> None:
    heartbeat.beat(work="clock", now=now + timedelta(seconds=5))
    assert heartbeat.age(work="clock", now=now) == 0


def test_without_redis_nothing_is_known_and_nothing_fails(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    def away(*_: object, **__: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(cache, "set", away)
    monkeypatch.setattr(cache, "get", away)
    heartbeat.beat(work="clock", now=now)
    assert heartbeat.age(work="clock", now=now) is None
    assert not heartbeat.clock_is_late(now=now)


def test_a_redis_that_is_silent_holds_nobody(settings: Any, now: datetime) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": url}}
        began = time.monotonic()
        assert heartbeat.age(work="clock", now=now) is None
        assert time.monotonic() - began < 5
