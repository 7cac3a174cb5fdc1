"""The C anchor: Postfix's smtp-sink and smtp-source, from the machine or from Debian's package."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from newsroom.running import temporary_servers

PACKAGES = ("postfix", "libicu72", "libnsl2")


@dataclass(frozen=True)
class Tools:
    """Where the two programs are, and where their libraries are looked for."""

    sink: Path
    source: Path
    libraries: str

    def environment(self) -> dict[str, str]:
        return os.environ | ({"LD_LIBRARY_PATH": self.libraries} if self.libraries else {})


def find(folder: Path) -> Tools | None:
    """The programs, unpacked below `folder` when the machine has none; None when they cannot be had."""
    installed = shutil.which("smtp-source", path=f"{os.environ['PATH']}:/usr/sbin")
    if installed:
        return Tools(Path(installed).with_name("smtp-sink"), Path(installed), "")
    unpacked = folder / "postfix"
    if not (unpacked / "usr/sbin/smtp-source").exists() and not _unpack(unpacked):
        return None
    libraries = f"{unpacked}/usr/lib/postfix:{unpacked}/usr/lib/{os.uname().machine}-linux-gnu"
    return Tools(unpacked / "usr/sbin/smtp-sink", unpacked / "usr/sbin/smtp-source", libraries)


def _unpack(target: Path) -> bool:
    """Fetch Debian's package and unpack it without installing anything."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return False
    with tempfile.TemporaryDirectory() as here:
        for package in PACKAGES:
            subprocess.run(["apt-get", "download", "-q", package], cwd=here, check=False, capture_output=True)  # noqa: S607  # found in PATH
        archives = list(Path(here).glob("*.deb"))
        for archive in archives:
            subprocess.run(["dpkg", "-x", str(archive), str(target)], check=True)  # noqa: S607  # found in PATH
    return (target / "usr/sbin/smtp-source").exists()


@contextlib.contextmanager
def sink(tools: Tools, *arguments: str) -> Iterator[int]:
    """A running smtp-sink; gives its port."""
    port = temporary_servers.free_port()
    # As root it insists on an account to fall back to.
    account = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = [str(tools.sink), *account, *arguments, f"127.0.0.1:{port}", "1000"]
    with subprocess.Popen(command, env=tools.environment(), stderr=sys.stderr) as process:
        try:
            _wait(port)
            yield port
        finally:
            process.terminate()


def _wait(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError("smtp-sink did not start")


def anchor(tools: Tools, port: int, message: Path, *, sessions: int = 8, count: int = 20_000) -> float:
    """Messages a second of smtp-source with the message, over kept connections."""
    command = [str(tools.source), "-d", "-s", str(sessions), "-m", str(count), "-F", str(message), f"127.0.0.1:{port}"]
    started = time.perf_counter()
    subprocess.run(command, env=tools.environment(), check=True)
    return count / (time.perf_counter() - started)
