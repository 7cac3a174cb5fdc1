"""The PostgreSQL and Redis of `bin/run`: embedded ones are started again, of others it is said that they are away."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from newsroom import embedded
from newsroom.running import servers

pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path: Path) -> Iterator[servers.Servers]:
    """A run with servers of its own; the environment is as before afterwards."""
    before = dict(os.environ)
    for variable in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"):
        os.environ.pop(variable, None)
    try:
        with servers.running(tmp_path) as run:
            yield run
    finally:
        embedded.remove(tmp_path)
        os.environ.clear()
        os.environ.update(before)


def pid(tmp_path: Path, file: str) -> int:
    return int((embedded.place(tmp_path).home / file).read_text(encoding="ascii").splitlines()[0])


def test_embedded_servers_that_were_killed_run_again_with_their_data(run: servers.Servers, tmp_path: Path) -> None:
    assert list(run.mend()) == []
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as connection:
        connection.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('here')")
    os.kill(pid(tmp_path, "postgres/postmaster.pid"), signal.SIGKILL)
    os.kill(pid(tmp_path, "redis/redis.pid"), signal.SIGKILL)
    for process in embedded.STARTED[-2:]:
        process.wait(10)

    sentences: list[str] = []
    end = time.monotonic() + 120
    while len([one for one in sentences if "started again" in one]) < 2:
        assert time.monotonic() < end, sentences
        sentences += run.mend()
    assert "The embedded PostgreSQL had ended: it was started again." in sentences
    assert "The embedded Redis had ended: it was started again." in sentences
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"]) as connection:
        assert connection.execute("SELECT word FROM kept").fetchone() == ("here",)
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        assert client.ping()
    assert [one for one in run.mend() if "again" not in one] == []


def test_a_server_that_does_not_answer_is_named_once_and_once_more_when_it_does(
    run: servers.Servers, tmp_path: Path
) -> None:
    number = pid(tmp_path, "redis/redis.pid")
    os.kill(number, signal.SIGSTOP)
    try:
        assert list(run.mend()) == ["Redis does not answer: workers hear of no work until it does."]
        assert list(run.mend()) == []
    finally:
        os.kill(number, signal.SIGCONT)
    assert list(run.mend()) == ["Redis answers again."]


def test_a_server_that_cannot_be_started_is_said_to_be_so_and_tried_again_later(
    run: servers.Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    def refuse(here: object) -> bool:
        tried.append(here)
        raise embedded.Unavailable("The embedded Redis does not start; the logs say why.")

    monkeypatch.setattr(embedded, "start_redis", refuse)
    assert "The embedded Redis does not start; the logs say why." in list(run.mend())
    assert list(run.mend()) == []
    assert len(tried) == 1
