"""A worker that takes no tasks any more is found by its silence."""

import socket
import time
from collections.abc import Iterator
from concurrent import futures
from types import SimpleNamespace
from typing import Any

import pytest
from celery.signals import task_postrun
from django.conf import settings
from kombu import transport

from newsroom import consuming, kombu_fix, metrics
from newsroom.celery import app
from publication import redis_client


@pytest.fixture(autouse=True)
def _nobody_works_yet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(consuming, "_next_at", 0.0)
    client, key = redis_client.connect(), redis_client.key("workers")
    client.delete(key)
    yield
    client.delete(key)


def finish_a_task(worker: str | None, *, is_eager: bool = False) -> None:
    request = SimpleNamespace(hostname=worker, is_eager=is_eager)
    task_postrun.send(sender=None, task=SimpleNamespace(request=request))


@pytest.mark.django_db
def test_the_silence_of_each_worker_is_a_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    for worker, hour in (("celery@one", now), ("celery@two", now - 400), ("celery@gone", now - 90_000)):
        with monkeypatch.context() as past:
            past.setattr(time, "time", lambda hour=hour: hour)
            past.setattr(consuming, "_next_at", 0.0)
            finish_a_task(worker)

    ages = consuming.ages()
    assert list(ages) == ["celery@one", "celery@two"]
    assert ages["celery@one"] < 60
    assert 399 < ages["celery@two"] < 460
    assert 'newsroom_worker_age_seconds{worker="celery@two"} 4' in metrics.text()


def test_only_workers_count_and_not_with_every_task() -> None:
    finish_a_task(None)
    finish_a_task("celery@one", is_eager=True)
    assert consuming.ages() == {}
    finish_a_task("celery@one")
    finish_a_task("celery@two")
    assert list(consuming.ages()) == ["celery@one"]


def test_without_redis_no_task_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", "unix:///there/is/no/redis.sock")
    # Called as the signal calls it, which would swallow what it raises.
    consuming.note(task=SimpleNamespace(request=SimpleNamespace(hostname="celery@one", is_eager=False)))
    consuming.note(task=None)
    assert consuming.ages() == {}


def test_redis_that_does_not_answer_holds_up_no_task(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = str(tmp_path_factory.mktemp("r") / "s")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(path)
        silent.listen()
        monkeypatch.setattr(settings, "REDIS_URL", f"unix://{path}?db=0")
        with futures.ThreadPoolExecutor(1) as threads:
            asked = threads.submit(consuming.ages)
            try:
                assert asked.result(timeout=5) == {}
            finally:
                silent.shutdown(socket.SHUT_RDWR)


def test_two_houses_on_one_redis_have_each_their_own_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    finish_a_task("celery@one")
    monkeypatch.setitem(settings.CACHES["default"], "KEY_PREFIX", "another")
    assert consuming.ages() == {}


def test_a_worker_never_gives_its_broker_up() -> None:
    """Celery's own 100 tries are over after three quarters of an hour; None means for ever to celery and kombu."""
    assert app.conf.broker_connection_max_retries is None
    assert app.conf.broker_connection_retry
    assert app.conf.broker_connection_retry_on_startup


def test_celery_reaches_redis_by_the_mended_way() -> None:
    with app.connection_for_read() as connection:
        assert isinstance(connection.transport, kombu_fix.Transport)
        assert isinstance(connection.default_channel, kombu_fix.Channel)
    for scheme in ("redis", "rediss"):
        found: object = transport.resolve_transport(scheme)
        assert found is kombu_fix.Transport


def test_an_acknowledgement_on_a_connection_that_was_closed_is_a_lost_connection_and_ends_no_worker() -> None:
    """kombu would raise an AttributeError, which no worker survives."""
    connection = app.connection_for_read()
    channel: Any = connection.default_channel
    connection.release()
    with pytest.raises(ConnectionResetError):
        channel._connparams()
