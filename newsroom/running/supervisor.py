"""Supervises the programs of `bin/run`: restarts those that died and those that hang.

A program that dies is started again after 1 s, 2 s, 4 s ... 30 s; a minute of life makes it 1 s again. One that says
nothing any more is asked to end, killed if it does not, and started again: leases and fences make that harmless.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from typing import Final

from django.conf import settings

from newsroom import readiness, worker_heartbeat, workers
from newsroom.running import processes, servers
from newsroom.running.processes import Program
from newsroom.worker_heartbeat import Process, Signs

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
HEALTHY_SECONDS: Final = 60.0
# Python, Django and Celery need seconds, on a busy machine many.
STARTING_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 2.0
WEB: Final = "web server"


@dataclass
class Care:
    """The supervisor's record of one program."""

    wait: float = FIRST_WAIT
    starts_at: float | None = None
    kill_at: float | None = None
    heard_at: float = float("-inf")


class Supervisor:
    """Supervises a group of programs; `look` is called several times a second."""

    def __init__(
        self, group: processes.Group, *, running: servers.Servers, url: str, say: Callable[[str], None]
    ) -> None:
        self.group = group
        self.servers = running
        self.url = url
        self.say = say
        self.cares = {name: Care() for name in group.programs}
        self.next_round = 0.0
        self.calm_since = time.monotonic()

    def look(self) -> None:
        """Restart programs that are due, kill those that did not end, and check at intervals that all of them work."""
        now = time.monotonic()
        for program in self.group.programs.values():
            care = self.cares[program.name]
            if program.process.poll() is None:
                self._end_at_last(program, care, now)
            elif care.starts_at is None:
                self._plan(program, care, now)
            elif now >= care.starts_at:
                care.starts_at = None
                self.group.start_again(program)
                self.say(f"The {program.name} was started again.")
        if now >= self.next_round:
            self.next_round = now + settings.HEARTBEAT_SECONDS
            self._round(now)

    def _plan(self, program: Program, care: Care, now: float) -> None:
        """Log that the program ended, and schedule its restart."""
        if now - program.started_at >= HEALTHY_SECONDS:
            care.wait = FIRST_WAIT
        # What it left behind may hold its port or its rows.
        processes.kill_session(program.process.pid)
        how = "has ended as it was asked to" if care.kill_at else _how(program.process.returncode)
        self.say(f"The {program.name} {how}: it starts again in {care.wait:.0f} s.")
        care.starts_at, care.kill_at = now + care.wait, None
        care.wait = min(care.wait * 2, LONGEST_WAIT)

    def _end_at_last(self, program: Program, care: Care, now: float) -> None:
        if care.kill_at is not None and now >= care.kill_at:
            processes.kill_session(program.process.pid)
            program.process.wait()

    def _round(self, now: float) -> None:
        news = list(self.servers.mend())
        for sentence in news:
            self.say(sentence)
        signs = worker_heartbeat.read()
        if news or signs is None or self.servers.silent:
            # A program that waits for a server cannot report; afterwards each has the usual time.
            self.calm_since = now
        for program in self.group.programs.values():
            care = self.cares[program.name]
            if program.process.poll() is None and care.kill_at is None:
                fault = self._fault(program, care, signs, now)
                if fault:
                    self.say(f"The {program.name} {fault}: it is stopped and started again.")
                    care.kill_at = now + processes.STOP_SECONDS
                    processes.ask_to_end(program.process)

    def _fault(self, program: Program, care: Care, signs: Signs | None, now: float) -> str:
        """Why the program must be restarted, as the rest of a sentence; empty if it works."""
        if program.name == WEB:
            return self._web_fault(program, care, now)
        if signs is None:
            return ""
        process = next((one for one in [*signs.workers, *signs.beats] if _is(one, program)), None)
        if process is not None:
            # Not what Redis knows alone: it may have been emptied, or have come back with what was true before.
            care.heard_at = max(care.heard_at, now - process.age)
        limit = silent_after() if care.heard_at > program.started_at else STARTING_SECONDS
        silent = now - max(care.heard_at, program.started_at, self.calm_since)
        if silent > limit:
            return f"has said nothing for {silent:.0f} s"
        return _idleness(process, signs, most=now - self.calm_since) if process is not None else ""

    def _web_fault(self, program: Program, care: Care, now: float) -> str:
        with contextlib.suppress(OSError, HTTPException), urllib.request.urlopen(self.url, timeout=ANSWER_SECONDS):  # noqa: S310  # our own http
            care.heard_at = now
            return ""
        limit = silent_after() if care.heard_at > program.started_at else STARTING_SECONDS
        silent = now - max(care.heard_at, program.started_at)
        return f"has not answered for {silent:.0f} s" if silent > limit else ""


def _is(process: Process, program: Program) -> bool:
    """Whether a heartbeat is this program's: several hosts, with process ids of their own, may share one Redis."""
    return process.pid == program.process.pid and process.name.endswith(f"@{socket.gethostname()}")


def silent_after() -> float:
    """Seconds without a heartbeat after which a program is restarted; /readyz reports it after half of that."""
    return 2 * readiness.silent_after()


def _idleness(process: Process, signs: Signs, *, most: float) -> str:
    """Its loop turns; does it also do anything? It is not expected to have done more than `most` seconds ago."""
    if not process.queues:
        idle = min(process.idle, signs.since, most)
        return f"has sent nothing for {idle:.0f} s" if idle > readiness.IDLE_SECONDS else ""
    for queue in process.queues:
        unserved = min(readiness.unserved_seconds(queue, [process], signs), most) if queue in workers.QUEUES else 0.0
        if unserved > readiness.unserved_limit(queue):
            return f"takes no tasks of “{queue}”: none was finished for {unserved:.0f} s"
    return ""


def _how(code: int) -> str:
    """How a program ended, as the rest of a sentence."""
    if code >= 0:
        return f"has ended by itself (exit code {code})"
    return f"was killed ({signal.Signals(-code).name})"
