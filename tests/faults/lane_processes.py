"""Real processes that run one lane of an issue each, made in milliseconds so that many can be killed.

A nursery is one Python with Django ready, on the caller's database; for each lane it forks. A lane's
process runs `lanes.run`, as the Celery task does, and what the sweeper does once a minute, until the
issue needs it no more. It may be killed at any instant; nobody waits for it.

In a test::

    with lane_processes.nursery(database=..., mail_port=...) as nursery:
        lane = nursery.start(issue_id=1, crash_at="attempted:1")
        lane.wait()
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Lane:
    """One process. `lane` is the number of the lane that it runs."""

    pid: int
    lane: int

    def is_alive(self) -> bool:
        """False once the kernel knows it no more."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 0)
            return True
        return False

    def is_asleep(self) -> bool:
        """Whether SIGSTOP holds it."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def kill(self) -> None:
        """kill -9."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def wake(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def wait(self, seconds: float = 30.0) -> None:
        """Return when it has ended; raises TimeoutError."""
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() > deadline:
                raise TimeoutError(f"lane {self.lane} still runs after {seconds:.0f} s")
            time.sleep(0.005)


class Nursery:
    """Makes lanes by asking a process that was made ready once."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._lanes: list[Lane] = []

    def start(self, *, issue_id: int, lane: int = 0, crash_at: str = "", until_closed: bool = False) -> Lane:
        """A new process for the lane. `until_closed`: it also begins a due issue, sweeps, and ends with it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"issue_id": issue_id, "lane": lane, "crash_at": crash_at, "until_closed": until_closed}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        new_lane = Lane(int(self._process.stdout.readline()), lane)
        self._lanes.append(new_lane)
        return new_lane

    def stop(self) -> None:
        """After: none of the lanes runs, nor the nursery."""
        for lane in self._lanes:
            if lane.is_alive():
                lane.kill()
        self._process.kill()
        self._process.communicate()


# The owner of the surrounding database is not the test database's.
NOT_OURS = ("PYTEST_", "TEST_DB_SUFFIX", "DATABASE_OWNER_URL")


@contextlib.contextmanager
def nursery(*, database: str, mail_port: int, **extra: str) -> Iterator[Nursery]:
    """A nursery whose lanes use that database and mail server; `extra` are variables of the environment."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
    ours = {"DATABASE_URL": database, "EMAIL_URL": f"smtp://127.0.0.1:{mail_port}", "DEBUG": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.lane_child"],
        cwd=ROOT,
        env={**inherited, **ours, **extra},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    running = Nursery(process)
    try:
        yield running
    finally:
        running.stop()
