"""The PostgreSQL and the Redis of one run: configured ones are asked, embedded ones are started and stopped."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import redis

from newsroom import database_url, embedded, env

EMBEDDED_OWNER = "started-by-run"


class Refused(Exception):
    """Something outside is not as it must be; the text is one sentence for a person."""


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


@contextlib.contextmanager
def running(var: Path) -> Iterator[None]:
    """Inside: both servers answer, and DATABASE_URL, REDIS_URL and, if there is one, DATABASE_OWNER_URL are set.

    After: what this started has stopped.
    """
    here, mark = embedded.place(var), var / EMBEDDED_OWNER
    # A run that was killed outright left its mark: its servers are now this run's to stop.
    ours = set(mark.read_text(encoding="ascii").split()) if mark.exists() else set()
    try:
        if not env.text("DATABASE_URL") and embedded.start_postgres(here):
            ours.add("postgres")
        if not env.text("REDIS_URL") and embedded.start_redis(here):
            ours.add("redis")
        mark.write_text(" ".join(sorted(ours)), encoding="ascii")
        url, owner_url = database_url.both(var)
        _export("DATABASE_URL", url)
        if owner_url:
            _export("DATABASE_OWNER_URL", owner_url)
        _export("REDIS_URL", env.text("REDIS_URL") or embedded.redis_url(var))
        require_database(url)
        if owner_url:
            require_database(owner_url, name="DATABASE_OWNER_URL")
        require_redis(os.environ["REDIS_URL"])
        yield
    finally:
        if "redis" in ours:
            embedded.stop_redis(here)
        if "postgres" in ours:
            embedded.stop_postgres(here)
        mark.unlink(missing_ok=True)


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
