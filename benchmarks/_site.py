"""The web server and a worker as a deployment runs them, behind a proxy that ends TLS."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from newsroom.running import processes, temporary_servers

HOST = "news.example.org"
WORKERS = int(os.environ.get("WEB_WORKERS") or os.cpu_count() or 1)
PRODUCTION = {
    "DEBUG": "0",
    "SECRET_KEY": secrets.token_urlsafe(50),
    "ADDRESS_HASH_KEY": secrets.token_urlsafe(50),
    "SITE_URL": f"https://{HOST}",
    "ALLOWED_HOSTS": HOST,
    "TRUSTED_PROXIES": "1",
    "DATABASE_URL": os.environ["DATABASE_URL"],
}


@contextlib.contextmanager
def web(environment: dict[str, str]) -> Iterator[tuple[int, psutil.Process]]:
    """The web server as `bin/run` starts it in production; gives its port."""
    port = temporary_servers.free_port()
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
    subprocess.run(collect, env=os.environ | PRODUCTION | environment, check=True)
    with _program(processes.web(port, host="127.0.0.1", workers=WORKERS), environment) as process:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.1)
        time.sleep(3)
        yield port, process


@contextlib.contextmanager
def worker(environment: dict[str, str], *, queues: str, concurrency: int) -> Iterator[psutil.Process]:
    """A worker for these queues."""
    command = processes.worker(name="measured", queues=[queues], processes=concurrency)
    with _program(command, environment) as process:
        time.sleep(5)
        yield process


@contextlib.contextmanager
def bare(folder: Path, code: str) -> Iterator[int]:
    """The same web server with an application of this code and nothing of ours; gives its port."""
    (folder / "bare_site.py").write_text(code, encoding="utf-8")
    port = temporary_servers.free_port()
    command = [*processes.web(port, host="127.0.0.1", workers=WORKERS)[:-1], "bare_site:application"]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    with subprocess.Popen([sys.executable, "-m", *command], cwd=folder, env=environment, stdout=sys.stderr) as process:
        try:
            time.sleep(3)
            yield port
        finally:
            process.terminate()


@contextlib.contextmanager
def _program(command: Sequence[str], environment: dict[str, str]) -> Iterator[psutil.Process]:
    command = [sys.executable, "-m", *command]
    environment = os.environ | PRODUCTION | environment
    with subprocess.Popen(command, env=environment, stdout=sys.stderr, start_new_session=True) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
