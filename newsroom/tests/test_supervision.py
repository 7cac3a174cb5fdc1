"""What `bin/run` does about a program that dies again and again, or runs and does nothing."""

import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from newsroom import worker_heartbeat
from newsroom.running import processes, serve, servers, supervisor, temporary_servers
from newsroom.worker_heartbeat import Process, Signs

DIES = ["timeit", "-n1", "-r1", "import os; os._exit(3)"]
LIVES = ["timeit", "-n1", "-r1", "import time; time.sleep(60)"]
DEAF = ["timeit", "-n1", "-r1", "import signal, time; signal.signal(15, signal.SIG_IGN); print(1); time.sleep(60)"]
LONG = 10_000.0
HOST = socket.gethostname()


class NoServers(servers.Servers):
    """Servers of somebody else, about which nothing is to be sentences."""

    def __init__(self) -> None:
        """None are looked after."""
        self.silent = set()

    def mend(self) -> Iterator[str]:
        return iter(())


@pytest.fixture
def group(tmp_path: Path) -> Iterator[processes.Group]:
    with processes.Group(tmp_path, os.environ) as group:
        yield group


@pytest.fixture
def known_signs(monkeypatch: pytest.MonkeyPatch) -> list[Signs | None]:
    """What Redis knows of the processes; the last one is what it knows now."""
    signs: list[Signs | None] = [Signs([], [], {})]
    monkeypatch.setattr(worker_heartbeat, "read", lambda: signs[-1])
    monkeypatch.setattr(supervisor, "FIRST_WAIT", 0.1)
    monkeypatch.setattr(supervisor, "LONGEST_WAIT", 0.4)
    return signs


def watching(group: processes.Group, sentences: list[str]) -> supervisor.Supervisor:
    watcher = supervisor.Supervisor(group, running=NoServers(), url="http://127.0.0.1:1/", say=sentences.append)
    for name, care in watcher.cares.items():
        care.wait = supervisor.FIRST_WAIT
        group.programs[name].started_at -= LONG
    watcher.calm_since = -LONG
    return watcher


def until(condition: Callable[[], bool], *, meanwhile: Callable[[], None] = lambda: None) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        meanwhile()
        time.sleep(0.02)


def look_until(watcher: supervisor.Supervisor, condition: Callable[[], bool]) -> None:
    def look() -> None:
        watcher.next_round = 0.0
        watcher.look()

    until(condition, meanwhile=look)


def test_a_program_that_dies_again_and_again_is_started_ever_later(
    group: processes.Group, known_signs: list[Signs | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_WAIT", 1.0)
    monkeypatch.setattr(supervisor, "LONGEST_WAIT", 30.0)
    sentences: list[str] = []
    group.start("clock", DIES)
    watcher = watching(group, sentences)
    care = watcher.cares["clock"]
    for _ in range(7):
        group.programs["clock"].process.wait(30)
        watcher.look()
        assert care.starts_at is not None
        care.starts_at = 0.0
        watcher.look()
    ended = [line for line in sentences if "again in" in line]
    assert ended[0] == "The clock has ended by itself (exit code 3): it starts again in 1 s."
    assert [re.findall(r"in (\d+) s", line) for line in ended] == [[str(n)] for n in (1, 2, 4, 8, 16, 30, 30)]

    group.programs["clock"].process.wait(30)
    group.programs["clock"].started_at -= supervisor.HEALTHY_SECONDS
    watcher.look()
    assert sentences[-1].endswith("it starts again in 1 s.")


def at_work(pid: int, **changes: object) -> Process:
    usual = {"name": f"letters@{HOST}", "pid": pid, "age": 1.0, "uptime": LONG, "queues": ("transactional",)}
    return Process(**{**usual, **changes})  # type: ignore[arg-type]  # each by its own name


def in_redis(pid: int, **changes: object) -> Signs:
    beats = [Process("beat@there", 1, 1.0, LONG, (), 30.0)]
    return Signs([at_work(pid, **changes)], beats, {"transactional": 30.0})


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"age": 61.0}, "has said nothing for 61 s"),
        ({}, "takes no tasks of “transactional”: none was finished for 200 s"),
    ],
)
def test_a_worker_that_stands_still_is_started_again(
    group: processes.Group, known_signs: list[Signs | None], fault: dict[str, object], sentence: str
) -> None:
    sentences: list[str] = []
    group.start("worker for letters", LIVES)
    watcher, first = watching(group, sentences), group.programs["worker for letters"].process
    if not fault:
        known_signs.append(in_redis(first.pid))
        watcher.look()
        assert sentences == []
    signs = in_redis(first.pid, **fault)
    known_signs.append(signs if fault else Signs(signs.workers, signs.beats, {"transactional": 200.0}))
    look_until(watcher, lambda: bool(sentences))
    assert sentences == [f"The worker for letters {sentence}: it is stopped and started again."]
    look_until(watcher, lambda: group.programs["worker for letters"].process.pid != first.pid)
    assert sentences[-1] == "The worker for letters was started again."


def test_a_clock_that_turns_and_sends_nothing_is_started_again(
    group: processes.Group, known_signs: list[Signs | None]
) -> None:
    sentences: list[str] = []
    group.start("clock", LIVES)
    watcher, first = watching(group, sentences), group.programs["clock"].process
    known_signs.append(Signs([], [Process(f"beat@{HOST}", first.pid, 1.0, LONG, (), 190.0)], {}))
    look_until(watcher, lambda: bool(sentences))
    assert sentences == ["The clock has sent nothing for 190 s: it is stopped and started again."]


def test_a_program_that_does_not_end_when_it_is_asked_to_is_killed(
    group: processes.Group, known_signs: list[Signs | None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.5)
    sentences: list[str] = []
    group.start("clock", DEAF, log=tmp_path / "log", extra={"PYTHONUNBUFFERED": "1"})
    watcher, first = watching(group, sentences), group.programs["clock"].process
    known_signs.append(Signs([], [Process(f"beat@{HOST}", first.pid, 1.0, LONG)], {}))
    look_until(watcher, lambda: "1" in (tmp_path / "log").read_text())
    watcher.cares["clock"].heard_at -= 99.0
    known_signs.append(Signs([], [Process(f"beat@{HOST}", first.pid, 99.0, LONG)], {}))
    look_until(watcher, lambda: group.programs["clock"].process.pid != first.pid)
    assert first.returncode == -9


def test_a_stop_names_the_program_that_had_to_be_killed(
    group: processes.Group, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.5)
    group.start("clock", DEAF, log=tmp_path / "log", extra={"PYTHONUNBUFFERED": "1"})
    group.start("worker for letters", LIVES)
    until(lambda: "1" in (tmp_path / "log").read_text())
    group.stop()
    assert capfd.readouterr().err == "The clock did not end within 0 s and was killed.\n"


def test_a_web_process_that_does_not_end_holds_up_no_stop(
    group: processes.Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "WEB_STOP_SECONDS", 1)
    group.directory = serve.ROOT
    group.start("web server", processes.web(temporary_servers.free_port(), host="127.0.0.1", workers=1))
    web = psutil.Process(group.programs["web server"].process.pid)
    until(lambda: bool(web.children()))
    serving = web.children()
    serving[0].suspend()
    web.terminate()
    group.programs["web server"].process.wait(20)
    assert not serving[0].is_running()


def test_what_another_host_says_is_not_said_by_a_program_of_this_one(
    group: processes.Group, known_signs: list[Signs | None]
) -> None:
    sentences: list[str] = []
    group.start("worker for letters", LIVES)
    watcher, first = watching(group, sentences), group.programs["worker for letters"].process
    group.programs["worker for letters"].started_at = time.monotonic()
    known_signs.append(in_redis(first.pid, name="letters@elsewhere"))
    watcher.look()
    assert sentences == []
    assert watcher.cares["worker for letters"].heard_at < 0


def test_no_worker_is_started_again_for_tasks_that_wait_for_a_server(
    group: processes.Group, known_signs: list[Signs | None]
) -> None:
    sentences: list[str] = []
    group.start("worker for letters", LIVES)
    watcher, first = watching(group, sentences), group.programs["worker for letters"].process
    signs = in_redis(first.pid)
    known_signs.append(Signs(signs.workers, signs.beats, {"transactional": 200.0}))
    watcher.servers.silent.add("postgres")
    watcher.look()
    assert sentences == []
    watcher.servers.silent.clear()
    watcher.calm_since = -LONG
    look_until(watcher, lambda: bool(sentences))


def test_nobody_is_started_again_for_what_redis_could_not_hear(
    group: processes.Group, known_signs: list[Signs | None]
) -> None:
    sentences: list[str] = []
    group.start("worker for letters", LIVES)
    watcher, first = watching(group, sentences), group.programs["worker for letters"].process
    known_signs.append(None)
    watcher.look()
    known_signs.append(in_redis(first.pid, age=500.0))
    watcher.next_round = 0.0
    watcher.look()
    assert sentences == []
    watcher.calm_since -= supervisor.silent_after() + 10
    look_until(watcher, lambda: bool(sentences))


@pytest.mark.parametrize("afterwards", [Signs([], [], {}), "what was true before"])
def test_nobody_is_started_again_because_redis_was_emptied_or_knows_only_what_was_true_long_ago(
    group: processes.Group, known_signs: list[Signs | None], afterwards: Signs | str
) -> None:
    sentences: list[str] = []
    group.start("worker for letters", LIVES)
    watcher, first = watching(group, sentences), group.programs["worker for letters"].process
    known_signs.append(in_redis(first.pid))
    watcher.look()
    known_signs.append(in_redis(first.pid, age=500.0) if isinstance(afterwards, str) else afterwards)
    watcher.next_round = 0.0
    watcher.look()
    assert sentences == []
    watcher.cares["worker for letters"].heard_at -= 60.0
    look_until(watcher, lambda: bool(sentences))


def test_a_program_that_starts_has_its_time(group: processes.Group, known_signs: list[Signs | None]) -> None:
    sentences: list[str] = []
    group.start("worker for letters", LIVES)
    watcher = watching(group, sentences)
    group.programs["worker for letters"].started_at = time.monotonic()
    watcher.look()
    assert sentences == []
    group.programs["worker for letters"].started_at -= supervisor.STARTING_SECONDS + 1
    look_until(watcher, lambda: bool(sentences))
    assert sentences[0].startswith("The worker for letters has said nothing for 61 s")
