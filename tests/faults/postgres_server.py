"""A PostgreSQL of a test's own, which may be stopped, killed, filled and set back to a copy of itself.

In a test::

    with postgres_server.running(tmp_path) as server, postgres_server.instead(server):
        ... Django and what the stage starts use it ...
        server.stop(signal.SIGKILL)
        server.start()
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from newsroom import database_url, embedded, env

FAST, IMMEDIATE, KILLED = signal.SIGINT, signal.SIGQUIT, signal.SIGKILL
# What tells one server from another; the other settings of the connection stay as they are.
WHERE = ("NAME", "USER", "PASSWORD", "HOST", "PORT")


class Server:
    """Runs from `running` to its end, but for what the test does to it."""

    def __init__(self, var: Path) -> None:
        self._place = embedded.place(var)
        self._backup = self._place.home / "backup"
        known = len(embedded.STARTED)
        self.url, self.owner_url = embedded.start_database(var), self._place.owner_url
        self._started = embedded.STARTED[known:]

    def stop(self, how: signal.Signals) -> None:
        """FAST ends every session, IMMEDIATE writes nothing more, KILLED is kill -9 of the postmaster."""
        pid = int((self._place.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        os.kill(pid, how)
        for process in self._started:
            process.wait(30)
        connection.close()

    def start(self) -> None:
        """Return when it answers; sessions of a killed postmaster may live a moment longer, which it waits for."""
        deadline = time.monotonic() + 30
        while True:
            known = len(embedded.STARTED)
            try:
                embedded.start_postgres(self._place)
                break
            except embedded.Unavailable:
                if time.monotonic() > deadline:
                    raise
            finally:
                self._started += embedded.STARTED[known:]
        connection.close()

    def back_up(self) -> None:
        """Keep a copy of everything. Before: it is stopped."""
        subprocess.run(["/bin/cp", "-a", str(self._place.data), str(self._backup)], check=True)

    def set_back(self) -> None:
        """Everything is as in the copy. Before: it is stopped."""
        shutil.rmtree(self._place.data)
        self._backup.rename(self._place.data)


@contextlib.contextmanager
def running(var: Path) -> Iterator[Server]:
    """A new server with an empty, migrated database; nothing of it is left afterwards."""
    try:
        yield Server(var)
    finally:
        connection.close()
        embedded.remove(var)


@contextlib.contextmanager
def instead(server: Server) -> Iterator[None]:
    """Inside, Django's connections of this process go to that server, whose tables are there, with the same roles."""
    here, other = connection.settings_dict, env.database(server.owner_url)
    with pytest.MonkeyPatch.context() as patch:
        connection.close()
        patch.setattr(settings, "DATABASE_URL", server.url)
        owner = database_url.owner(server.owner_url, application_url=server.url, testing=True)
        patch.setattr(settings, "DATABASE_OWNER", owner)
        for name in WHERE:
            patch.setitem(here, name, other[name])
        try:
            call_command("migrate", verbosity=0)
            yield
        finally:
            connection.close()
