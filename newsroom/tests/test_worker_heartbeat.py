"""Workers and beat that stand still are found by their silence."""

import os
import socket
import time
from collections.abc import Callable
from concurrent import futures
from types import SimpleNamespace
from typing import Any

import pytest
from celery.signals import task_postrun
from django.conf import settings
from kombu import transport

from core import redis_client
from newsroom import beat, kombu_fix, metrics, worker_heartbeat
from newsroom.celery import app

KINDS = ("workers", "beats", "finished", "finished-by")


@pytest.fixture(autouse=True)
def _nobody_works_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_heartbeat, "_next_at", {})


def finish_a_task(worker: str | None, *, is_eager: bool = False, queue: str = "ticks") -> None:
    request = SimpleNamespace(hostname=worker, is_eager=is_eager, delivery_info={"routing_key": queue})
    task_postrun.send(sender=None, task=SimpleNamespace(request=request))


def finish_a_task_of_one() -> None:
    finish_a_task("celery@one")


def signs() -> worker_heartbeat.Signs:
    current = worker_heartbeat.read()
    assert current is not None
    return current


def at(monkeypatch: pytest.MonkeyPatch, seconds_ago: float, act: Callable[[], object]) -> None:
    """Do it as of then, by the clock of Redis."""
    with monkeypatch.context() as past:
        past.setattr(worker_heartbeat, "_now", lambda _client: time.time() - seconds_ago)
        past.setattr(worker_heartbeat, "_next_at", {})
        act()


@pytest.mark.django_db
def test_the_silence_of_each_worker_is_a_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    for worker, seconds_ago in (("celery@one", 0), ("celery@two", 400), ("celery@gone", 90_000)):
        at(monkeypatch, seconds_ago, lambda worker=worker: finish_a_task(worker))  # type: ignore[misc]  # a default binds it

    ages = worker_heartbeat.finished_by()
    assert list(ages) == ["celery@one", "celery@two"]
    assert ages["celery@one"] < 60
    assert 399 < ages["celery@two"] < 460
    assert 'newsroom_worker_age_seconds{worker="celery@two"} 4' in metrics.text()


def test_only_workers_count_and_not_with_every_task() -> None:
    finish_a_task(None)
    finish_a_task("celery@one", is_eager=True)
    assert worker_heartbeat.finished_by() == {}
    finish_a_task("celery@one")
    finish_a_task("celery@two")
    assert list(worker_heartbeat.finished_by()) == ["celery@one"]
    finish_a_task("celery@two", queue="digest")
    assert list(worker_heartbeat.finished_by()) == ["celery@one", "celery@two"]
    assert list(signs().finished) == ["digest", "ticks"]


def consumer(name: str, *queues: str) -> tuple[SimpleNamespace, list[Callable[[], None]]]:
    """A worker that is about to turn, and what its timer calls."""
    calls: list[Callable[[], None]] = []
    timer = SimpleNamespace(call_repeatedly=lambda _seconds, call: calls.append(call))
    amqp = SimpleNamespace(queues=SimpleNamespace(consume_from=dict.fromkeys(queues)))
    return SimpleNamespace(hostname=name, timer=timer, app=SimpleNamespace(amqp=amqp)), calls


@pytest.mark.django_db
def test_a_worker_says_again_and_again_that_its_loop_turns_and_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    letters, calls = consumer("letters@here", "transactional")
    at(monkeypatch, 100, lambda: worker_heartbeat.begin(sender=letters))
    [worker] = signs().workers
    assert (worker.name, worker.pid, worker.queues) == ("letters@here", os.getpid(), ("transactional",))
    assert 99 < worker.age < 160
    assert signs().finished["transactional"] > 99
    calls[0]()
    assert signs().workers[0].age < 60
    assert 'newsroom_queue_workers{queue="transactional"} 1.0' in metrics.text()
    assert 'newsroom_queue_workers{queue="digest"} 0.0' in metrics.text()
    assert 'newsroom_queue_age_seconds{queue="transactional"} 1' in metrics.text()

    worker_heartbeat.end(sender=letters)
    assert signs().workers == []


def test_it_is_known_since_when_anything_is_known() -> None:
    client, mark = redis_client.connect(), redis_client.key("signs-since")
    assert signs().since < 30
    client.set(mark, repr(time.time() - 1.5))
    assert signs().since > 1
    client.set(mark, "hello")
    assert signs().since == 0
    assert signs().since < 30
    client.set(mark, "0")
    assert signs().since == client.info("server")["uptime_in_seconds"]


def test_two_workers_of_one_name_are_two(monkeypatch: pytest.MonkeyPatch) -> None:
    worker_heartbeat.begin(sender=consumer("celery@here", "transactional")[0])
    monkeypatch.setattr(os, "getpid", lambda: 7)
    worker_heartbeat.begin(sender=consumer("celery@here", "digest")[0])
    assert sorted(worker.queues for worker in signs().workers) == [("digest",), ("transactional",)]


def test_who_died_long_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, 90_000, lambda: worker_heartbeat.begin(sender=consumer("old@here", "digest")[0]))
    assert signs().workers == []
    worker_heartbeat.begin(sender=consumer("new@here", "digest")[0])
    assert redis_client.connect().hlen(redis_client.key("workers")) == 1


def test_beat_says_that_it_turns_and_when_it_last_sent_something(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = beat.Scheduler(app)
    sent: list[str] = []
    monkeypatch.setattr("celery.beat.Scheduler.apply_async", lambda _self, entry, **_: sent.append(entry.task))
    monkeypatch.setattr("celery.beat.Scheduler.tick", lambda _self: 5.0)
    began = time.monotonic()
    monkeypatch.setattr(scheduler, "sent_at", began - 200)
    assert scheduler.tick() == 5.0
    [clock] = signs().beats
    assert (clock.pid, clock.age < 60, 199 < clock.idle < 260) == (os.getpid(), True, True)

    scheduler.apply_async(SimpleNamespace(task="one"))
    monkeypatch.setattr(scheduler, "said_at", 0.0)
    scheduler.tick()
    assert (sent, signs().beats[0].idle < 60) == (["one"], True)


def test_without_redis_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", "unix:///there/is/no/redis.sock")
    # Called as the signal calls it, which would swallow what it raises.
    request = SimpleNamespace(hostname="celery@one", is_eager=False, delivery_info=None)
    worker_heartbeat.note(task=SimpleNamespace(request=request))
    worker_heartbeat.note(task=None)
    worker, calls = consumer("celery@one", "digest")
    worker_heartbeat.begin(sender=worker)
    calls[0]()
    worker_heartbeat.end(sender=worker)
    worker_heartbeat.beat_turns(name="beat@here", idle=0)
    assert worker_heartbeat.finished_by() == {}
    assert worker_heartbeat.read() is None


@pytest.mark.parametrize("kind", KINDS)
def test_garbage_among_the_signs_is_no_sign(kind: str) -> None:
    client, key = redis_client.connect(), redis_client.key(kind)
    for field in ("one", "one/two", "one/7"):
        for value in ("hello", "[]", "{}", '{"at": []}', '{"at": 1, "uptime": 2, "queues": 7}', b"\xff"):
            client.hset(key, f"{field}{len(value)}", value)
    assert (signs().workers, signs().beats, signs().finished) == ([], [], {})
    assert worker_heartbeat.finished_by() == {}


@pytest.mark.parametrize("kind", worker_heartbeat.TYPES)
def test_a_key_of_another_type_is_put_right_by_the_next_word_or_look(kind: str) -> None:
    client, key = redis_client.connect(), redis_client.key(kind)
    client.sadd(key, "hello")
    worker, calls = consumer("celery@one", "digest")
    worker_heartbeat.begin(sender=worker)
    worker_heartbeat.read()
    for say in (calls[0], finish_a_task_of_one, finish_a_task_of_one):
        worker_heartbeat._next_at.clear()
        say()
    worker_heartbeat.beat_turns(name="beat@here", idle=0)
    worker_heartbeat.beat_turns(name="beat@here", idle=0)
    assert [worker.name for worker in signs().workers] == ["celery@one"]
    assert [beat.name for beat in signs().beats] == ["beat@here"]
    assert set(signs().finished) == {"digest", "ticks"}
    assert set(worker_heartbeat.finished_by()) == {"celery@one"}


def test_redis_that_does_not_answer_holds_up_no_task(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = str(tmp_path_factory.mktemp("r") / "s")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(path)
        silent.listen()
        monkeypatch.setattr(settings, "REDIS_URL", f"unix://{path}?db=0")
        with futures.ThreadPoolExecutor(1) as threads:
            asked = threads.submit(worker_heartbeat.finished_by)
            try:
                assert asked.result(timeout=5) == {}
            finally:
                silent.shutdown(socket.SHUT_RDWR)


def test_two_houses_on_one_redis_have_each_their_own_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    finish_a_task("celery@one")
    monkeypatch.setitem(settings.CACHES["default"], "KEY_PREFIX", "another")
    assert worker_heartbeat.finished_by() == {}


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
        resolved: object = transport.resolve_transport(scheme)
        assert resolved is kombu_fix.Transport


def test_an_acknowledgement_on_a_connection_that_was_closed_is_a_lost_connection_and_ends_no_worker() -> None:
    """kombu would raise an AttributeError, which no worker survives."""
    connection = app.connection_for_read()
    channel: Any = connection.default_channel
    connection.release()
    with pytest.raises(ConnectionResetError):
        channel._connparams()
