"""Anything may lie in Redis where tasks are expected: the worker puts it aside, and goes on with its work."""

import json
import signal
from collections import Counter
from contextlib import suppress

import pytest
from django.conf import settings
from kombu.exceptions import OperationalError

from digests.models import Issue
from newsroom import dead_entries, workers
from subscribers.models import Letter, Subscriber
from tests.faults import garbage
from tests.journeys import stage as stages
from tests.journeys.conftest import People

READERS = 60
WRONG_KEYS = {"digest": "a text", "ticks": "a set", "unacked": "a text", "unacked_index": "a text"}
pytestmark = pytest.mark.slow


@pytest.fixture
def broker(stage: stages.Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process look into the stage's Redis as the stage's processes do."""
    monkeypatch.setattr(settings, "REDIS_URL", stage.broker)
    monkeypatch.setitem(settings.CACHES["default"], "KEY_PREFIX", "newsroom")


def letter_leaves(stage: stages.Stage) -> None:
    """The worker works: a letter that is queued now is in its mailbox soon."""
    reader = Subscriber.objects.order_by("pk")[0]
    letter = Letter.objects.create(kind=Letter.Kind.PREFERENCES, subscriber=reader)
    stage.queue("subscribers.tasks.send_letter", letter.pk)

    def is_sent() -> bool:
        letter.refresh_from_db()
        return letter.state == Letter.State.SENT

    stages.wait(is_sent, "a letter to leave", 20, stage.logs)


def goes_on_after(stage: stages.Stage, number: int, key: str) -> None:
    """Whether this many entries were set aside and a tick that is queued now is taken."""

    def tick() -> None:
        # While a key is of the wrong type, nobody can queue anything into it either.
        with suppress(OperationalError):
            stage.queue("articles.tasks.tick")

    def is_noticed() -> bool:
        tick()
        return dead_entries.ever() >= number

    stages.wait(is_noticed, f"{key} to be set aside", 20, stage.logs)
    tick()
    stages.wait(lambda: stage.redis().llen("ticks") == 0, "a tick to be taken", 20, stage.logs)


def test_garbage_of_every_kind_in_every_queue_while_a_task_is_running(
    stage: stages.Stage, people: People, issue: Issue, broker: None
) -> None:
    everybody = people(READERS)
    worker = stage.worker(concurrency=3)
    stage.let_through(0)
    stage.send(issue)
    stage.let_through(READERS // 4)

    redis = stage.redis()
    for queue in workers.QUEUES:
        for entry in garbage.ENTRIES.values():
            redis.lpush(queue, entry)
            redis.lpush(f"{queue}\x06\x163", entry)
    for command in (b"[]", b"\xff", b"[" * 20_000):
        redis.publish("/0.celery.pidbox", command)
    # The first command is a message, if an odd one.
    expected = 2 * len(workers.QUEUES) * len(garbage.ENTRIES) + 1
    stages.wait(lambda: dead_entries.ever() >= expected, "the garbage to be put aside", 60, stage.logs)

    assert worker.poll() is None
    assert stage.workers_that_answer() == 1
    assert dead_entries.ever() == expected
    contents = Counter(entry.content for entry in dead_entries.newest() if entry.queue in workers.QUEUES)
    assert contents == Counter({entry[: dead_entries.KEPT_BYTES]: 8 for entry in garbage.ENTRIES.values()})
    assert "Connection to broker lost" not in stage.logs()
    stage.let_all_through()
    stage.tick_until(lambda: len(stage.mail.accepted) == READERS, "the issue to be sent", 40)
    assert stage.mail.copies() == Counter(everybody)
    letter_leaves(stage)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0


def test_keys_of_the_wrong_type_while_a_task_is_running(
    stage: stages.Stage, people: People, issue: Issue, broker: None
) -> None:
    everybody = people(READERS)
    worker = stage.worker(concurrency=3)
    stage.let_through(0)
    stage.send(issue)
    stage.let_through(READERS // 4)

    redis = stage.redis()
    for number, (key, content) in enumerate(WRONG_KEYS.items(), start=1):
        redis.delete(key)
        redis.sadd(key, "hello") if content == "a set" else redis.set(key, "hello")
        goes_on_after(stage, number, key)
    assert dead_entries.ever() == len(WRONG_KEYS)
    stage.let_all_through()
    stage.tick_until(lambda: len(stage.mail.accepted) == READERS, "the issue to be sent", 40)
    assert worker.poll() is None
    assert stage.mail.copies() == Counter(everybody)


def test_a_worker_starts_though_its_memory_of_tasks_is_garbage_and_takes_what_is_none(
    stage: stages.Stage, people: People, broker: None
) -> None:
    people(1)
    letter = Letter.objects.create(kind=Letter.Kind.PREFERENCES, subscriber=Subscriber.objects.get())
    real = garbage.real("subscribers.tasks.send_letter", [letter.pk], "transactional")
    redis = stage.redis()
    for tag, entry in {
        "a": b"hello",
        "b": b"[]",
        "c": b'[{}, "", "digest"]',
        "d": json.dumps([real, "", "transactional"]).encode(),
    }.items():
        redis.hset("unacked", tag, entry)
        redis.zadd("unacked_index", {tag: 1})
    stage.worker()
    stages.wait(lambda: len(stage.mail.accepted) == 1, "the letter that somebody had taken", 20, stage.logs)
    assert dead_entries.ever() == 3
    stages.wait(lambda: redis.zcard("unacked_index") == 0, "everything to be finished", 20, stage.logs)
