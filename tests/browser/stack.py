"""The whole product for the browser: its own PostgreSQL and Redis, web, worker and demonstration."""

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import requests

from newsroom import embedded
from newsroom.running import temporary_servers
from tests.browser import pseudo

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
ADMIN, PASSWORD = "editor", "a long enough password"
START_SECONDS = 180.0
# In one process, because each takes two seconds to start.
FILL = f"""
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("demo")
call_command("createsuperuser", interactive=False, username={ADMIN!r}, email="")
"""
# What the surrounding shell or pytest says of databases, brokers and tests is not meant for this stack.
NOT_OURS = (
    "PYTEST_",
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "REDIS_URL",
    "CACHE_URL",
    "EMAIL_URL",
    "TEST_DB_SUFFIX",
    "SITE_URL",
    "LOCAL_MAIL_DIR",
)


@dataclass
class Stack:
    """A running copy of the product that nothing else shares."""

    var: Path
    port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What its processes see."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
        ours = {
            "VAR_DIR": str(self.var),
            "PORT": str(self.port),
            "SITE_URL": self.url,
            "DEBUG": "1",
            "UNDO_SECONDS": "2",
            "SIGNUP_WAIT_SECONDS": "3",
        }
        return inherited | ours | {"DJANGO_SETTINGS_MODULE": "tests.browser.settings", "PYTHONDONTWRITEBYTECODE": "1"}

    def manage(self, *arguments: str, **extra: str) -> str:
        """Run a management command to its end and return what it printed."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment | extra, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, f"{arguments[0]}: {done.stdout}{done.stderr}"
        return done.stdout

    def spawn(self, *command: str) -> None:
        """Start a program of the virtual environment; its output is kept under var/."""
        log = self.var / f"{Path(command[0]).name}-{len(self.processes)}.log"
        with log.open("wb") as output:
            self.processes.append(
                subprocess.Popen(
                    [str(PROGRAMS / command[0]), *command[1:]],
                    cwd=ROOT,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )

    def stop(self) -> None:
        """End what was started and delete its data."""
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        embedded.remove(self.var)


def start(*, var: Path) -> Stack:
    """A stack that answers, with the demonstration loaded and one administrator."""
    stack = Stack(var=var, port=temporary_servers.free_port())
    try:
        pseudo.write_catalogues(var / "pseudo")
        stack.manage("shell", "--no-imports", "-c", FILL, DJANGO_SUPERUSER_PASSWORD=PASSWORD)
        stack.spawn(
            "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(stack.port),
            "--workers", "1", "--blocking-threads", "2", "newsroom.wsgi:application",
        )  # fmt: skip
        stack.spawn(
            "celery", "-A", "newsroom.celery:app", "worker", "--pool", "threads", "--concurrency", "2",
            "--loglevel", "WARNING",
        )  # fmt: skip
        _await(stack)
    except BaseException:
        stack.stop()
        raise
    return stack


def _await(stack: Stack) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(requests.RequestException):
            if requests.get(stack.url, timeout=5).ok:
                return
        time.sleep(0.1)
    raise AssertionError("\n".join(log.read_text() for log in stack.var.glob("*.log")))
