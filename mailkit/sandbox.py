"""Runs one of our own modules on hostile input, in a process that may be killed.

The parsers of Markdown and of pictures can be made to hang, or to eat all
memory, by a few kilobytes of input. A thread cannot be stopped; a process can.
"""

import gc
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).resolve().parent.parent
# `-I` leaves the project's folder off the path, so that nothing else there can be picked up by chance.
BOOT = "import runpy, sys; sys.path.append(sys.argv[1]); runpy.run_module(sys.argv[2], run_name='__main__')"
# A Python that was installed outside the system's library folders does not start without these.
KEPT_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
# A child that was started ahead ends by itself after so long; it is taken well before that.
SPARE_SECONDS: Final = 300
# Module -> when its spare was started, and the spare. A process that is forked off has none.
_spares: dict[str, tuple[float, subprocess.Popen[bytes]]] = {}
_spares_lock = threading.Lock()
os.register_at_fork(after_in_child=_spares.clear)


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
    with _spare(module) or _start(module) as child:
        try:
            response, _errors = child.communicate(pack({**request, "limits": limits}, payload), timeout=seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            raise TimedOut from None
    if child.returncode != 0:
        raise Failed(f"{module} ended with {child.returncode}.")
    return unpack(response)


def prepare(*, module: str) -> None:
    """Start a child ahead, which the next `run` of the module in this process takes: starting is most of its time.

    It serves one request, like any other, and ends with this process or after SPARE_SECONDS.
    """
    with _spares_lock:
        started, old = _spares.get(module, (0.0, None))
        if old is not None and time.monotonic() - started < SPARE_SECONDS / 2:
            return
        _spares[module] = (time.monotonic(), _start(module))
    if old is not None:
        _end(old)


def _spare(module: str) -> subprocess.Popen[bytes] | None:
    """The child that was started ahead, if there is one and it is young enough to be there still."""
    with _spares_lock:
        started, child = _spares.pop(module, (0.0, None))
    if child is None or time.monotonic() - started < SPARE_SECONDS / 2:
        return child
    _end(child)
    return None


def _start(module: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-c", BOOT, str(ROOT), module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ},
    )


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate()


def serve(respond: Callable[[dict[str, Any], bytes], tuple[dict[str, Any], bytes]]) -> None:
    """The child's side: read a request, limit this process, write what `respond` returns for it."""
    # A spare whose parent is gone without closing the pipe, or does not need it.
    signal.alarm(SPARE_SECONDS)
    # It lives for one request, within its limit of memory: collecting costs time and frees nothing that it needs.
    gc.disable()
    request, payload = unpack(sys.stdin.buffer.read())
    signal.alarm(0)
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
