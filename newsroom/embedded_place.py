"""Where the embedded servers of one checkout keep their things and listen. Starts and writes nothing."""

import contextlib
import hashlib
import os
import pwd
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured

from newsroom import cluster

# Accounts that root's servers may run as; the first that exists. Only the first is dedicated.
ACCOUNTS = ("newsroom", "nobody")
# sockaddr_un holds 104 bytes on macOS and 108 on Linux; some room is kept for the file's name.
SOCKET_PATH_BYTES = 100
POSTGRES_SOCKET = ".s.PGSQL.5432"
PLAIN_PATH = re.compile(r"[A-Za-z0-9_./-]+")


class Unavailable(ImproperlyConfigured):
    """The embedded servers cannot run here; the text says what to do instead."""


@dataclass(frozen=True)
class Place:
    """Where one checkout's servers keep their things, and who runs them."""

    var: Path
    home: Path
    sockets: Path
    account: str | None

    @property
    def data(self) -> Path:
        """The PostgreSQL cluster."""
        return self.home / "postgres"

    @property
    def redis_socket(self) -> Path:
        """Where Redis listens."""
        return self.sockets / "redis.sock"

    @property
    def postgres_socket(self) -> Path:
        """Where PostgreSQL listens."""
        return self.sockets / POSTGRES_SOCKET

    @property
    def database_url(self) -> str:
        """The database for the application."""
        return self._url(cluster.APPLICATION)

    @property
    def owner_url(self) -> str:
        """The same database for the owner of its tables."""
        return self._url(cluster.OWNER)

    @property
    def redis_url(self) -> str:
        """The first database number of Redis."""
        return f"unix://{self.redis_socket}?db=0"

    def _url(self, role: str) -> str:
        return f"postgresql://{role}@/{cluster.DATABASE}?host={quote(str(self.sockets), safe='')}"


def place(var: Path) -> Place:
    """The place that belongs to this var directory; nothing is created."""
    var = var.resolve()
    digest = hashlib.sha256(os.fsencode(var)).hexdigest()[:12]
    account = _account() if os.geteuid() == 0 else None
    home = Path("/var/lib") / f"newsroom-{digest}" if account else var
    sockets = home / "run"
    # libpq splits a host at commas and some clients trip over spaces: only plain, short paths.
    if len(os.fsencode(sockets / POSTGRES_SOCKET)) >= SOCKET_PATH_BYTES or not PLAIN_PATH.fullmatch(str(sockets)):
        sockets = Path(tempfile.gettempdir()) / f"newsroom-{os.geteuid()}-{digest}"
    return Place(var=var, home=home, sockets=sockets, account=account)


def _account() -> str:
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            if pwd.getpwnam(name).pw_uid != 0:
                return name
    raise Unavailable("As root, PostgreSQL needs an account named newsroom or nobody: create one or set DATABASE_URL.")
