"""All that the product writes besides its rows and mails is searched for addresses, while other tests run.

A pytest plugin looks at what the test's own process writes: the messages of its log before they are masked, and the
tasks that it queues. `in_files` and `in_redis` are for the processes that a test starts. The masks of the log are the
last resort, and are not needed here: what is masked was written.
"""

import base64
import json
import logging
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery.signals import before_task_publish

# As in a sentence, percent-encoded, or as a header has it.
# With limits, because a value in Redis may be megabytes without a gap.
ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", re.IGNORECASE)
MASKED = "…@…"
# Of programs, and of no person: a server in a URL, a worker of Celery and its queues.
PROGRAMS = re.compile(rf"@(127\.0\.0\.1|{re.escape(platform.node())}(\.celery\.pidbox)?)$")

# What this process wrote during the present test.
seen: list[str] = []


class _Listener(logging.Handler):
    """Sees every record before a formatter masks it."""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if addresses_in(text) or MASKED in text:
            seen.append(f"{record.name}: {text}")


LISTENER = _Listener()


def _published(body: object = None, headers: dict[str, Any] | None = None, **_signal: object) -> None:
    # An eta is a time; all else is what a worker is called with.
    arguments = body[0:2] if isinstance(body, tuple) else body
    if addresses_in(repr(arguments)) or addresses_in(repr(headers)):
        seen.append(f"task: {headers and headers.get('task')}")


def pytest_configure(config: pytest.Config) -> None:
    """Look at tasks from the first one on."""
    config.addinivalue_line("markers", "writes_addresses(reason): this test's own process may write addresses")
    before_task_publish.connect(_published)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test whose process wrote an address."""
    seen.clear()
    # A test that configures logging takes the handlers of the root logger away. A handler that is there stays one.
    logging.getLogger().addHandler(LISTENER)
    result = yield
    if item.get_closest_marker("writes_addresses") is None:
        assert not seen, "\n".join(["an address was written:", *seen])
    return result


def addresses_in(text: str) -> list[str]:
    """What looks like somebody's address."""
    if "@" not in text and "%40" not in text:
        return []
    return [one for one in ADDRESS.findall(text) if not PROGRAMS.search(one)]


def in_files(*files: Path) -> list[str]:
    """The lines that have an address."""
    return [
        f"{file.name}: {line}"
        for file in files
        if file.is_file()
        for line in file.read_text(errors="replace").splitlines()
        if addresses_in(line)
    ]


def in_redis(client: Any) -> list[str]:
    """The keys that have an address in their name or value, tasks included."""
    return [key for key, text in redis_texts(client) if addresses_in(text)]


def broker(url: str) -> Any:
    """A client of that Redis."""
    return redis.Redis.from_url(url)


def redis_texts(client: Any) -> Iterator[tuple[str, str]]:
    """Every key, with all that is stored there as text."""
    for key in client.scan_iter():
        name = key.decode(errors="replace")
        yield name, f"{name} {' '.join(map(_unpacked, _values(client, key)))}"


def _values(client: Any, key: bytes) -> list[bytes]:
    match client.type(key):
        case b"string":
            return [client.get(key) or b""]
        case b"list":
            return list(client.lrange(key, 0, -1))
        case b"hash":
            return [one for pair in client.hgetall(key).items() for one in pair]
        case b"set":
            return list(client.smembers(key))
        case b"zset":
            return list(client.zrange(key, 0, -1))
    return []


def _unpacked(value: bytes) -> str:
    """The value as text; of a task in a queue also what its body is packed in."""
    text = value.decode(errors="replace")
    try:
        task = json.loads(text)
        while isinstance(task, list) and task:
            task = task[0]
        body = base64.b64decode(task["body"]).decode(errors="replace")
    except (ValueError, TypeError, KeyError):
        return text
    return f"{text} {body}"
