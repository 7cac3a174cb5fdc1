"""Starts a group of programs, watches them, and stops them together."""

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
# A web process that goes on after a pause of the machine does not always notice the stop that follows.
WEB_STOP_SECONDS = 10
PR_SET_PDEATHSIG = 1
WORKER_ENVIRONMENT = {
    # A stop gives running tasks CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT, and not for ever.
    "REMAP_SIGTERM": "SIGQUIT",
    # On a laptop root is root everywhere; a production unit file names its own user (docs/operations.md).
    "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
}


@dataclass
class Program:
    """One program of a run, whether it runs or not; `name` is as a sentence says it."""

    name: str
    command: Sequence[str]
    log: Path | None
    extra: Mapping[str, str]
    process: "subprocess.Popen[bytes]"
    started_at: float


@dataclass
class Group:
    """The programs of one run. Leaving the `with` block stops all of them."""

    directory: Path
    environment: Mapping[str, str]
    programs: dict[str, Program] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Nothing runs yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stops what was started."""
        self.stop()

    def start(
        self, name: str, command: Sequence[str], *, log: Path | None = None, extra: Mapping[str, str] | None = None
    ) -> None:
        """Starts one program."""
        process = self._launch(command, log, extra or {})
        self.programs[name] = Program(name, command, log, extra or {}, process, time.monotonic())

    def start_again(self, program: Program) -> None:
        """Before: it has ended. After: it runs."""
        program.process = self._launch(program.command, program.log, program.extra)
        program.started_at = time.monotonic()

    def _launch(self, command: Sequence[str], log: Path | None, extra: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """In a session of its own, so that a signal reaches it only through us."""
        output = log.open("ab") if log else None
        try:
            return subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=self.directory,
                env={**_lesser(self.environment), **extra},
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
        return next((name for name, program in self.programs.items() if program.process.poll() is not None), None)

    def stop(self) -> None:
        """After: none of the programs, nor anything in their sessions, runs."""
        for program in reversed(self.programs.values()):
            if program.process.poll() is None:
                ask_to_end(program.process)
        end = time.monotonic() + STOP_SECONDS
        for program in self.programs.values():
            try:
                program.process.wait(timeout=max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                sys.stderr.write(f"The {program.name} did not end within {STOP_SECONDS:.0f} s and was killed.\n")
            finally:
                kill_session(program.process.pid)
                program.process.wait()
        self.programs.clear()


def ask_to_end(process: "subprocess.Popen[bytes]") -> None:
    """Send SIGTERM, and SIGCONT so that a stopped process gets it too."""
    process.terminate()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGCONT)


def kill_session(leader: int) -> None:
    """Ends what is left of a process group, its leader included."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _lesser(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the URL of the tables' owner, which no program needs after the migrations."""
    return {name: value for name, value in environment.items() if not name.startswith("DATABASE_OWNER_URL")}


def _die_with_parent() -> None:
    """If we are killed outright, the kernel tells the child to stop (Linux only)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def web(port: int, *, host: str, workers: int) -> list[str]:
    """The command line of the web server, after `python -m`."""
    options = {"interface": "wsgi", "host": host, "port": str(port), "workers": str(workers), "http": "1"}
    options |= {"blocking-threads": "4", "log-level": "warning", "workers-kill-timeout": str(WEB_STOP_SECONDS)}
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
