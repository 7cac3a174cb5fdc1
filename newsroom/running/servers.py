"""The PostgreSQL and the Redis of one run: configured ones are checked, embedded ones are started and stopped."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import redis

from newsroom import cluster, database_url, embedded, env

EMBEDDED_OWNER = "started-by-run"
# A server that could not be started is tried again so much later.
AGAIN_SECONDS = 30.0
VARIABLES = {"postgres": "DATABASE_URL", "redis": "REDIS_URL"}
NAMES = {"postgres": "PostgreSQL", "redis": "Redis"}
WITHOUT = {"postgres": "pages answer 503", "redis": "workers hear of no work"}


class Refused(Exception):
    """Something outside of the program is wrong; the message is one sentence for a person."""


@contextlib.contextmanager
def alone(var: Path, *, name: str) -> Iterator[None]:
    """One run of a kind per var directory: two would stop each other's servers."""
    try:
        var.mkdir(parents=True, exist_ok=True)
        with (var / f"{name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError as error:
        raise Refused(f"bin/{name} already runs in this checkout: stop it first.") from error
    except PermissionError as error:
        raise Refused(f"{error.filename} is not writable for this user: run as its owner, or set VAR_DIR.") from error


class Servers:
    """The two servers of a run, which of them it has started and will stop, and which do not answer (`silent`)."""

    def __init__(self, var: Path) -> None:
        self._here, self._mark = embedded.place(var), var / EMBEDDED_OWNER
        self._embedded = [name for name, variable in VARIABLES.items() if not env.text(variable)]
        # A run that was killed outright left its mark: its servers are now this run's to stop.
        self._ours = set(self._mark.read_text(encoding="ascii").split()) if self._mark.exists() else set()
        self.silent: set[str] = set()
        self._again_at = 0.0

    def start(self) -> None:
        """After: the embedded ones run. On failure: embedded.Unavailable."""
        for name in self._embedded:
            self._start(name)
        if "postgres" in self._embedded:
            cluster.make_ready(self._here.sockets)
        self._mark.write_text(" ".join(sorted(self._ours)), encoding="ascii")

    def mend(self) -> Iterator[str]:
        """Start embedded servers again that have died; a sentence for each server that went away or came back."""
        embedded.reap()
        for name in VARIABLES:
            if name in self._embedded and time.monotonic() >= self._again_at:
                try:
                    if self._start(name):
                        yield f"The embedded {NAMES[name]} had ended: it was started again."
                except embedded.Unavailable as fault:
                    self._again_at = time.monotonic() + AGAIN_SECONDS
                    yield str(fault)
            yield from self._change(name)

    def stop(self) -> None:
        """After: what this run has started has stopped."""
        for name in ("redis", "postgres"):
            if name in self._ours:
                (embedded.stop_redis if name == "redis" else embedded.stop_postgres)(self._here)
        self._mark.unlink(missing_ok=True)

    def _start(self, name: str) -> bool:
        started = (embedded.start_redis if name == "redis" else embedded.start_postgres)(self._here)
        if started:
            self._ours.add(name)
        return started

    def _change(self, name: str) -> Iterator[str]:
        answers = _answers(name)
        if not answers and name not in self.silent:
            self.silent.add(name)
            yield f"{NAMES[name]} does not answer: {WITHOUT[name]} until it does."
        elif answers and name in self.silent:
            self.silent.remove(name)
            yield f"{NAMES[name]} answers again."


def _answers(name: str) -> bool:
    url = os.environ[VARIABLES[name]]
    try:
        if name == "postgres":
            psycopg.connect(url, connect_timeout=2).close()
            return True
        with redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as client:
            return bool(client.ping())
    except (psycopg.Error, redis.RedisError):
        return False


@contextlib.contextmanager
def running(var: Path) -> Iterator[Servers]:
    """Inside: both servers answer, and DATABASE_URL, REDIS_URL and, if there is one, DATABASE_OWNER_URL are set.

    After: what this started has stopped.
    """
    both = Servers(var)
    try:
        both.start()
        url, owner_url = database_url.both(var)
        _export("DATABASE_URL", url)
        if owner_url:
            _export("DATABASE_OWNER_URL", owner_url)
        _export("REDIS_URL", env.text("REDIS_URL") or embedded.place(var).redis_url)
        require_database(url)
        if owner_url:
            require_database(owner_url, name="DATABASE_OWNER_URL")
        require_redis(os.environ["REDIS_URL"])
        yield both
    finally:
        both.stop()


def require_database(url: str, *, name: str = "DATABASE_URL") -> None:
    """Refuses if PostgreSQL does not answer; the sentence names no password."""
    where = env.database(url, name=name)
    address = f"{where['HOST'] or 'this machine'}{':' if where['PORT'] else ''}{where['PORT']}"
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.Error as error:
        # The first line is the fault, further ones are libpq's guesses; no part of it holds the password.
        reason = (str(error).strip().splitlines() or ["no answer"])[0].split("failed: ")[-1].strip().rstrip(".")
        raise Refused(f"{name} cannot be used: PostgreSQL at {address} says: {reason}.") from error


def require_redis(url: str) -> None:
    """Refuses if Redis does not answer."""
    where = env.split_url("REDIS_URL", url)
    env.redis_number(url)
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as client:
            client.ping()
    except redis.RedisError as error:
        sentence = f"REDIS_URL cannot be used: Redis at {where.hostname or where.path} does not answer."
        raise Refused(sentence) from error


def _export(name: str, value: str) -> None:
    """The programs get the value itself, so its file variant must go."""
    os.environ[name] = value
    os.environ.pop(f"{name}_FILE", None)
