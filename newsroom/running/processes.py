"""Starts programs together, watches them, and stops them together."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

STOP_SECONDS = 25.0
PR_SET_PDEATHSIG = 1
WORKER_ENVIRONMENT = {
    # A stop gives running tasks CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT, and not for ever.
    "REMAP_SIGTERM": "SIGQUIT",
    # On a laptop root is root everywhere; a production unit file names its own user (docs/operations.md).
    "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
}


@dataclass
class Group:
    """The programs of one run; leaving the `with` block stops them, whatever happened inside."""

    directory: Path
    environment: Mapping[str, str]
    children: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Nothing runs yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stops what was started."""
        self.stop()

    def start(
        self, name: str, command: list[str], *, log: Path | None = None, extra: Mapping[str, str] | None = None
    ) -> None:
        """Starts one program, in a session of its own so that a signal reaches it only through us."""
        output = log.open("ab") if log else None
        try:
            self.children[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=self.directory,
                env={**_lesser(self.environment), **(extra or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509  # no threads here
            )
        finally:
            if output:
                output.close()

    def ended(self) -> str | None:
        """The name of a program that has ended by itself, if any has."""
        return next((name for name, child in self.children.items() if child.poll() is not None), None)

    def stop(self) -> None:
        """After: none of the programs, nor anything in their sessions, runs."""
        for child in reversed(self.children.values()):
            if child.poll() is None:
                child.terminate()
        end = time.monotonic() + STOP_SECONDS
        for child in self.children.values():
            try:
                child.wait(timeout=max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
            finally:
                _kill_session(child)
        self.children.clear()


def _lesser(environment: Mapping[str, str]) -> dict[str, str]:
    """Without the URL of the tables' owner, whom no program needs once the tables are there."""
    return {name: value for name, value in environment.items() if not name.startswith("DATABASE_OWNER_URL")}


def _kill_session(child: "subprocess.Popen[bytes]") -> None:
    """Ends what is left of the child's process group, the child included."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _die_with_parent() -> None:
    """If we are killed outright, the kernel tells the child to stop (Linux only)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def web(port: int, *, host: str, workers: int) -> list[str]:
    """The command line of the web server, after `python -m`."""
    options = {"interface": "wsgi", "host": host, "port": str(port), "workers": str(workers), "http": "1"}
    options |= {"blocking-threads": "4", "log-level": "warning"}
    flags = [part for key, value in options.items() for part in (f"--{key}", value)]
    return ["granian", *flags, "--no-ws", "newsroom.wsgi:application"]


def worker(*, name: str, queues: Sequence[str], processes: int) -> list[str]:
    """The command line of a Celery worker, after `python -m`."""
    celery = ["celery", "--quiet", "-A", "newsroom.celery:app", "worker", "--hostname", f"{name}@%h"]
    options = ["-Q", ",".join(queues), "--concurrency", str(processes), "-l", "WARNING"]
    return [*celery, *options, "--without-gossip", "--without-mingle"]


def beat() -> list[str]:
    """The command line of the clock, after `python -m`."""
    return ["celery", "--quiet", "-A", "newsroom.celery:app", "beat", "-l", "WARNING"]
