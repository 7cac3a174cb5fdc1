"""Runs one of our own modules on hostile input, in a process that may be killed.

The parsers of Markdown and of pictures can be made to hang, or to eat all
memory, by a few kilobytes of input. A thread cannot be stopped; a process can.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# `-I` leaves the project's folder off the path, so that nothing else there can be picked up by chance.
BOOT = "import runpy, sys; sys.path.append(sys.argv[1]); runpy.run_module(sys.argv[2], run_name='__main__')"
# A Python that was installed outside the system's library folders does not start without these.
KEPT_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class TimedOut(Exception):
    """The child was killed when its time was over."""


class Failed(Exception):
    """The child ended without a response: out of memory, out of stack, or a fault of ours."""


def run(
    *, module: str, request: dict[str, Any], payload: bytes, seconds: float, megabytes: int
) -> tuple[dict[str, Any], bytes]:
    """Hand `request` (JSON) and `payload` to `module`'s `serve`; return the same two of its response.

    The module runs isolated (`python -I`), without our environment, database or
    secrets, cannot write files, is killed after `seconds` of wall time, and has
    at most one second more of processor time and `megabytes` of address space.
    On failure: TimedOut or Failed; neither repeats the input.
    """
    limits = {"cpu_seconds": int(seconds) + 1, "address_space": megabytes * 1024 * 1024}
    try:
        finished = subprocess.run(
            [sys.executable, "-I", "-c", BOOT, str(ROOT), module],
            input=pack({**request, "limits": limits}, payload),
            capture_output=True,
            timeout=seconds,
            check=False,
            env={name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ},
        )
    except subprocess.TimeoutExpired:
        raise TimedOut from None
    if finished.returncode != 0:
        raise Failed(f"{module} ended with {finished.returncode}.")
    return unpack(finished.stdout)


def serve(respond: Callable[[dict[str, Any], bytes], tuple[dict[str, Any], bytes]]) -> None:
    """The child's side: read a request, limit this process, write what `respond` returns for it."""
    request, payload = unpack(sys.stdin.buffer.read())
    limits = request.pop("limits")
    _limit(resource.RLIMIT_CPU, limits["cpu_seconds"])
    _limit(resource.RLIMIT_AS, limits["address_space"])
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    sys.stdout.buffer.write(pack(*respond(request, payload)))
    sys.stdout.flush()


def pack(head: dict[str, Any], body: bytes) -> bytes:
    """One line of JSON, then the bytes."""
    return json.dumps(head).encode() + b"\n" + body


def unpack(message: bytes) -> tuple[dict[str, Any], bytes]:
    """The two that `pack` was given."""
    head, _, body = message.partition(b"\n")
    return json.loads(head), body


def _limit(kind: int, amount: int) -> None:
    """Set one limit. macOS refuses some kinds; the parent's clock still holds there."""
    try:
        resource.setrlimit(kind, (amount, amount))
    except (ValueError, OSError):
        return
