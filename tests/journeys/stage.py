"""The product as processes, on the test database, a Redis of its own and an SMTP server that keeps what it gets."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import redis
import requests
from celery import Celery
from django.conf import settings
from django.db import connection
from django.utils import timezone

from digests import approval
from digests.models import Issue
from newsroom import embedded, env, workers
from newsroom.celery import app
from newsroom.running import processes, temporary_servers
from tests import written
from tests.faults import lane_processes, smtp_server

ROOT = Path(__file__).resolve().parents[2]
# What pytest or the shell says is not meant for processes that must be like those of a deployment.
NOT_OURS = (
    "PYTEST_", "CACHE_URL", "EMAIL_URL", "SITE_URL", "LOCAL_MAIL_DIR", "TEST_DB_SUFFIX", "REDIS_URL_FILE",
    "DATABASE_OWNER_URL",
)  # fmt: skip
# Waiting ends with what is waited for, so a limit costs nothing until it is one; machines may be slow.
PATIENCE = 4
# Also for the tests of apps, which do not import newsroom.
free_port = temporary_servers.free_port


@dataclass
class Stage:
    """Starts and kills the product's processes; nothing of it outlives the test."""

    var: Path
    mail: smtp_server.Server
    site: str
    extra: dict[str, str] = field(default_factory=dict)
    started: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    servers: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What the processes see."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
        ours = {
            "DATABASE_URL": test_database(),
            "REDIS_URL": self.broker,
            "EMAIL_URL": f"smtp://127.0.0.1:{self.mail.port}",
            "SITE_URL": self.site,
            "VAR_DIR": str(self.var),
            "DEBUG": "1",
        }
        return {**inherited, **ours, **processes.WORKER_ENVIRONMENT, **self.extra}

    @property
    def broker(self) -> str:
        return embedded.place(self.var).redis_url

    def redis(self) -> "redis.Redis":
        """A client of this stage's own Redis, which may be flushed and stopped."""
        return redis.Redis.from_url(self.broker)

    def start_redis(self) -> None:
        known = len(embedded.STARTED)
        embedded.start_redis(embedded.place(self.var))
        self.servers += embedded.STARTED[known:]

    def stop_redis(self) -> None:
        """Take the broker away; SIGKILL, so that nothing of it is saved either."""
        pid = int((embedded.place(self.var).home / "redis" / "redis.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        wait(lambda: not embedded._listens(embedded.place(self.var).redis_socket), "Redis to be gone", 5)

    def worker(
        self, *, concurrency: int = 2, queues: Sequence[str] = tuple(workers.QUEUES), name: str = "all"
    ) -> "subprocess.Popen[bytes]":
        """A real Celery worker in a process group of its own; for every queue unless some are named."""
        return self.spawn(name, processes.worker(name=name, queues=queues, processes=concurrency))

    def web(self) -> None:
        """The real web server; returns when it answers."""
        self.spawn("web", processes.web(urlsplit(self.site).port or 80, host="127.0.0.1", workers=1))
        wait(self._answers, "the site to answer", 20)

    def spawn(self, name: str, command: list[str]) -> "subprocess.Popen[bytes]":
        with (self.var / f"{name}-{len(self.started)}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """kill -9 of the process and of every child, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def manage(self, *arguments: str, code: int = 0) -> str:
        """A management command as an operator runs it; what it printed, errors included."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60 * PATIENCE,
            check=False,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}\n{self.logs()}"
        return done.stdout + done.stderr

    def send(self, issue: Issue) -> None:
        """Approve the issue, and wake the stage's workers; what `manage.py send_issue` does, without its seconds."""
        approval.approve(issue=issue, actor=None, now=timezone.now())
        self.queue("digests.sending.tasks.wake_issue", issue.pk)

    def queue(self, task: str, *arguments: int) -> None:
        """Put a task into the broker, as the product or its clock does."""
        producer = Celery(broker=env.broker(self.broker), set_as_current=False)
        producer.conf.task_create_missing_queues = True
        queue = app.amqp.router.route({}, task)["queue"].name
        producer.send_task(task, args=list(arguments), queue=queue, ignore_result=True)
        producer.close()

    def workers_that_answer(self) -> int:
        """How many workers `celery status` would list."""
        asking = Celery(broker=env.broker(self.broker), set_as_current=False)
        replies = asking.control.ping(timeout=5, limit=1) or []
        asking.close()
        return len(replies)

    def tick(self, times: int = 1) -> None:
        """What beat queues once a minute, or what several beats queue at once."""
        for _ in range(times):
            for task in ("articles.tasks.tick", "subscribers.tasks.tick", "digests.tasks.tick"):
                self.queue(task)

    def tick_until(self, condition: Callable[[], bool], what: str, seconds: float) -> float:
        """A hurried clock: tick once a second until the condition holds; return how long it took."""
        began = time.monotonic()
        while not condition():
            took = time.monotonic() - began
            assert took < seconds * PATIENCE, f"waited {took:.0f} s for {what}\n{self.logs()}"
            self.tick()
            time.sleep(1)
        return time.monotonic() - began

    def let_through(self, copies: int) -> None:
        """Let the mail server take this many copies in all; return when it has them. The clock is hurried."""
        self.mail.make_room(copies)
        ticked_at = time.monotonic()

        def is_there() -> bool:
            nonlocal ticked_at
            if time.monotonic() - ticked_at > 1:
                ticked_at = time.monotonic()
                self.tick()
            return len(self.mail.accepted) >= copies

        wait(is_there, f"{copies} copies", 60, self.logs)

    def let_all_through(self) -> None:
        """The mail server takes whatever comes."""
        self.mail.make_room(float("inf"))

    def finish(self, issue: Issue, *, seconds: float = 60) -> float:
        """Let the issue come to its end; return how long that took."""

        def is_finished() -> bool:
            issue.refresh_from_db()
            return issue.state in {Issue.State.SENT, Issue.State.SENT_WITH_EXCEPTIONS}

        self.let_all_through()
        return self.tick_until(is_finished, "the issue to be finished", seconds)

    def mails(self, recipient: str) -> list[EmailMessage]:
        """The mails of one mailbox, parsed as a mail program would, oldest first."""
        pairs = zip(self.mail.accepted, self.mail.messages, strict=True)
        return [parse(raw) for accepted, raw in pairs if accepted.recipient == recipient]

    def next_mail(self, recipient: str, number: int = 1) -> EmailMessage:
        """The mailbox's mail of that number; waits for it."""
        wait(lambda: len(self.mails(recipient)) >= number, f"mail {number}", 20, self.logs)
        return self.mails(recipient)[number - 1]

    def logs(self) -> str:
        """The end of what the processes said, for a test that fails."""
        return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in sorted(self.var.glob("*.log")))

    def addresses_written(self) -> list[str]:
        """The lines and keys with an address that the processes wrote: in their logs, in tasks, elsewhere in Redis."""
        place = embedded.place(self.var)
        written_lines = written.in_files(*self.var.glob("*.log"), place.home / "redis.log")
        with contextlib.suppress(redis.RedisError):
            written_lines += written.in_redis(self.redis())
        return written_lines

    def stop(self) -> None:
        for process in self.started:
            self.kill(process)
        embedded.remove(self.var)
        for server in self.servers:
            server.wait(5 * PATIENCE)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.site}/healthz", timeout=2).ok
        except requests.RequestException:
            return False


@contextlib.contextmanager
def running(var: Path, script: Mapping[str, object] | None = None) -> Iterator[Stage]:
    """A stage with its Redis and its mail server; processes are started by the test."""
    with smtp_server.running(script) as mail:
        stage = Stage(var=var, mail=mail, site=f"http://127.0.0.1:{free_port()}")
        stage.start_redis()
        try:
            yield stage
            addresses = stage.addresses_written()
            assert not addresses, "\n".join(addresses)
        finally:
            stage.stop()


def wait(condition: Callable[[], bool], what: str, seconds: float, explain: Callable[[], str] = str) -> float:
    """Return how long it took until the condition held; fail with a sentence when it does not."""
    began = time.monotonic()
    while not condition():
        took = time.monotonic() - began
        assert took < seconds * PATIENCE, f"waited {took:.0f} s for {what}\n{explain()}"
        time.sleep(0.05)
    return time.monotonic() - began


def parse(raw: bytes) -> EmailMessage:
    """The message as a mail program reads it; a defect fails the test."""
    parsed = message_from_bytes(raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    assert not parsed.defects
    return parsed


def nursery(
    mail: smtp_server.Server, *, in_flight: int, lease_seconds: int
) -> contextlib.AbstractContextManager[lane_processes.Nursery]:
    """Lanes as processes of their own, which send from this test's database to `mail`."""
    return lane_processes.nursery(
        database=test_database(),
        mail_port=mail.port,
        COPIES_IN_FLIGHT=str(in_flight),
        LEASE_SECONDS=str(lease_seconds),
    )


def test_database() -> str:
    """The URL of the database that this test process uses."""
    name = connection.settings_dict["NAME"]
    return urlunsplit(urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}"))
