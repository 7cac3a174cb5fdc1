"""A queue entry that is no task is recognised, and stored where an operator can look at it."""

import hashlib
import json
import logging
from contextlib import suppress
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st
from kombu import Consumer, Message, Queue

from core import redis_client
from newsroom import dead_entries, metrics, task_messages
from newsroom.celery import app
from tests.faults import garbage


@pytest.mark.parametrize("kind", garbage.ENTRIES)
def test_an_entry_that_is_no_task_is_known_as_such(kind: str) -> None:
    with pytest.raises(task_messages.NotATask):
        task_messages.check(entry=garbage.ENTRIES[kind])


@pytest.mark.parametrize("task", garbage.TASKS)
@pytest.mark.parametrize("options", [{}, {"countdown": 5}, {"expires": 55}])
def test_every_task_that_the_product_queues_is_one(task: str, options: dict[str, Any]) -> None:
    queue = app.amqp.router.route({}, task)["queue"].name
    key = dead_entries.broker_key(queue)
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete(key)
    app.tasks[task].apply_async((7,) * argument_count(task), **options)
    entries: Any = client.lrange(key, 0, -1)
    [entry] = entries
    client.delete(key)

    task_messages.check(entry=entry)
    message = json.loads(entry)
    message["headers"]["redelivered"] = message["properties"]["delivery_info"]["redelivered"] = True
    task_messages.check_unacked(entry=json.dumps([message, "", queue]).encode())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
FIELDS = [
    ("body",), ("content-type",), ("content-encoding",), ("headers",), ("properties",),
    *(("headers", name) for name in garbage.real()["headers"]),
    *(("properties", name) for name in garbage.real()["properties"]),
    ("properties", "delivery_info", "exchange"), ("properties", "delivery_info", "routing_key"),
]  # fmt: skip


@given(path=st.sampled_from(FIELDS), value=JSON)
def test_whatever_stands_in_a_field_it_is_judged_and_nothing_else_is_raised(path: tuple[str, ...], value: Any) -> None:
    message = garbage.real()
    place = message
    for parent in path[:-1]:
        place = place[parent]
    place[path[-1]] = value
    for entry in (message, value):
        with suppress(task_messages.NotATask):
            task_messages.check(entry=json.dumps(entry).encode())
        with suppress(task_messages.NotATask):
            task_messages.check_unacked(entry=json.dumps([entry, "", "digest"]).encode())


@given(st.binary())
def test_whatever_bytes_there_are_they_are_no_task(entry: bytes) -> None:
    with pytest.raises(task_messages.NotATask):
        task_messages.check(entry=entry)


def argument_count(task: str) -> int:
    code: Any = app.tasks[task].run.__code__
    return int(code.co_argcount)


@pytest.mark.parametrize("entry", [b"hello", b"[]", b'[{}, "", "digest"]', b"[1, 2, 3]", b"null"])
def test_what_kombu_remembers_of_tasks_is_looked_at_too(entry: bytes) -> None:
    with pytest.raises(task_messages.NotATask):
        task_messages.check_unacked(entry=entry)


def test_what_is_put_aside_is_logged_by_its_hash_counted_and_kept_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    entry = b"\xff hello"
    with caplog.at_level(logging.ERROR):
        dead_entries.put_aside(queue="digest", entry=entry, reason="it is no JSON")
    digest = hashlib.sha256(entry).hexdigest()[:12]
    assert f"the queue digest was put aside: it is no JSON (7 bytes, SHA-256 {digest}...)" in caplog.text
    [dead] = dead_entries.newest()
    assert (dead.queue, dead.reason, dead.content, dead.size) == ("digest", "it is no JSON", entry, 7)
    assert (dead_entries.count(), dead_entries.ever()) == (1, 1)


def test_only_the_newest_are_kept_and_all_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_entries, "KEPT", 3)
    monkeypatch.setattr(dead_entries, "KEPT_BYTES", 2)
    for number in range(5):
        dead_entries.put_aside(queue="digest", entry=b"%d0000" % number, reason="")
    assert [dead.content for dead in dead_entries.newest()] == [b"40", b"30", b"20"]
    assert [dead.size for dead in dead_entries.newest()] == [5, 5, 5]
    assert dead_entries.ever() == 5


def test_without_redis_nothing_is_raised_and_the_log_says_what_is_gone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as away:
        away.setattr(settings, "REDIS_URL", "unix:///there/is/no/redis.sock")
        dead_entries.put_aside(queue="digest", entry=b"x", reason="")
        dead_entries.set_aside(types={"digest": "list"})
        assert (dead_entries.count(), dead_entries.ever()) == (0, 0)
    assert "could not be kept" in caplog.text


def test_a_key_of_another_type_gets_another_name_and_keeps_what_is_in_it() -> None:
    client = redis_client.connect()
    client.set(dead_entries.broker_key("digest"), "hello")
    dead_entries.set_aside(types={"digest": "list", "ticks": "list"})
    [dead] = dead_entries.newest()
    assert (dead.queue, client.exists(dead_entries.broker_key("digest"))) == ("digest", 0)
    assert client.get(dead.reason.split()[-1]) == b"hello"
    dead_entries.forget()
    assert client.get(dead.reason.split()[-1]) is None


def test_workers_are_asked_though_the_keys_for_it_have_another_type() -> None:
    client = redis_client.connect()
    keys = {"_kombu.binding_deadlines", "unacked_mutex"}
    for kind in ("binding", "binding_permanent"):
        keys |= {f"_kombu.{kind}.{name}" for name in ("celery.pidbox", "reply.celery.pidbox", "celeryev", "digest")}
    for key in keys:
        client.delete(dead_entries.broker_key(key))
        client.lpush(dead_entries.broker_key(key), "hello")
    with app.connection_for_write() as connection:
        assert app.control.ping(timeout=0.1, connection=connection) == []
    assert {dead.queue for dead in dead_entries.newest()} == keys


def test_a_task_at_which_the_worker_itself_fails_is_put_aside_and_not_handed_out_again() -> None:
    client, key = redis_client.connect(), dead_entries.broker_key("digest")
    client.delete(key, dead_entries.broker_key("unacked"))
    client.lpush(key, json.dumps(garbage.real()))

    def fail(_message: Message) -> None:
        raise LookupError("nobody expected this")

    with app.connection_for_read() as connection, Consumer(connection, [Queue("digest")], on_message=fail):
        while not dead_entries.count():
            with suppress(TimeoutError):
                connection.drain_events(timeout=1)
    [dead] = dead_entries.newest()
    assert dead.reason == "the worker failed at it (LookupError)"
    assert json.loads(dead.content) == garbage.real()
    assert client.llen(key) == client.hlen(dead_entries.broker_key("unacked")) == 0


def test_a_queue_of_another_type_fails_nobody_who_queues_a_task(caplog: pytest.LogCaptureFixture) -> None:
    key = dead_entries.broker_key("transactional")
    hint: Any = app.tasks["subscribers.tasks.send_letter"]
    hint._hint((7,), {})
    redis_client.connect().delete(key)
    redis_client.connect().set(key, "hello")
    hint._hint((7,), {})
    redis_client.connect().delete(key)
    assert "waits for the clock" in caplog.text


@pytest.mark.django_db
def test_figures_and_a_command_show_them(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("dead_entries")
    assert "Nothing was put aside." in capsys.readouterr().out
    dead_entries.put_aside(queue="digest", entry=b"\x00hello anna@readers.example", reason="it is no JSON")
    text = metrics.text()
    assert "newsroom_dead_entries 1.0" in text
    assert "newsroom_dead_entries_ever 1.0" in text
    call_command("dead_entries")
    shown = capsys.readouterr().out
    assert "digest: it is no JSON" in shown
    assert "hello" in shown
    assert "anna@" not in shown
    call_command("dead_entries", "--delete")
    assert "1 entry was deleted." in capsys.readouterr().out
    assert dead_entries.count() == 0
