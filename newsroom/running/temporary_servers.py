"""A temporary database, Redis and directory for one run, removed afterwards."""

import contextlib
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

from newsroom import embedded, env
from newsroom.running import servers
from newsroom.running.servers import Refused

# A trial must not depend on how this site is configured, nor reach anybody outside.
FORGOTTEN = ("SITE_URL", "ALLOWED_HOSTS", "MEDIA_ROOT", "LOCAL_MAIL_DIR", "TRUSTED_PROXIES", "PYTEST_VERSION")
FORCED = {"DEBUG": "1", "EMAIL_URL": "local://"}


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """Inside: the environment names an empty database, an empty Redis and a new VAR_DIR. After: nothing is left."""
    var = Path(tempfile.mkdtemp(prefix="newsroom-check-"))
    for name in FORGOTTEN:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    os.environ.update(FORCED, VAR_DIR=str(var))
    try:
        with _database(), _redis(), servers.running(var):
            yield var
    finally:
        embedded.remove(var)
        shutil.rmtree(var, ignore_errors=True)


@contextlib.contextmanager
def _database() -> Iterator[None]:
    """A new database on the configured server; the embedded server's is new anyway."""
    url = env.text("DATABASE_URL")
    if not url:
        yield
        return
    servers.require_database(url)
    owner = "DATABASE_OWNER_URL" if env.text("DATABASE_OWNER_URL") else "DATABASE_URL"
    name = f"newsroom_check_{secrets.token_hex(4)}"
    with psycopg.connect(env.text(owner), autocommit=True) as connection:
        try:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        except psycopg.Error as error:
            sentence = f"The check needs a database of its own: grant CREATEDB to the user of {owner}, or unset it."
            raise Refused(sentence) from error
        try:
            for variable in {owner, "DATABASE_URL"}:
                elsewhere = urlunsplit(urlsplit(env.text(variable))._replace(path=f"/{name}"))
                os.environ.pop(f"{variable}_FILE", None)
                os.environ[variable] = elsewhere
            yield
        finally:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


@contextlib.contextmanager
def _redis() -> Iterator[None]:
    """Two empty database numbers of the configured server, emptied again; the embedded server is new anyway."""
    url = env.text("REDIS_URL")
    if not url:
        os.environ.pop("CACHE_URL", None)
        yield
        return
    servers.require_redis(url)
    with contextlib.ExitStack() as stack:
        empty: list[redis.Redis] = []
        for number in range(15, 0, -1):
            client = stack.enter_context(redis.Redis.from_url(env.redis_with_number(url, number)))
            with contextlib.suppress(redis.ResponseError):  # a server may have fewer numbers
                if len(empty) < 2 and client.dbsize() == 0 and client.set("newsroom-check", "1", nx=True, ex=600):
                    empty.append(client)
                    name = ("REDIS_URL", "CACHE_URL")[len(empty) - 1]
                    os.environ[name] = env.redis_with_number(url, number)
                    os.environ.pop(f"{name}_FILE", None)
        try:
            if len(empty) < 2:
                raise Refused("The check needs two empty database numbers on the Redis of REDIS_URL, or unset it.")
            yield
        finally:
            for client in empty:
                client.flushdb()
