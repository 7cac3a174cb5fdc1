"""How fast is a list of readers imported, beside a bare COPY of what the import stores?

A file of ROWS records (1,000,000) as another system exports it goes through `manage.py import_subscribers`, in a
process of its own. Then all that it stored in the three large tables, readers, consent record and subscriptions, is
copied out, the tables are emptied, and the same rows go in by one COPY for each table, with all indexes and
constraints in place: the limit. Figures: records and seconds of both, and their ratio, which is what decides; the same
ratio of CPU time (client and server), which other programs on the machine disturb less; the largest memory of the
import, and of one of a tenth of the file, which should be equal. At last an import of a tenth is killed in the middle
by `kill -9` and begun again: seconds to the first new readers, and whether the end is that of the undisturbed one.

Exit 1 when a record is in no bucket, the consent chain is broken, or the killed import ends otherwise.
"""
# ruff: noqa: N999  # bin/bench takes the name of the script, and the command's is this

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "newsroom.settings")

import psutil
from django.conf import settings
from psycopg import sql

from benchmarks import _audience, _figures, _measuring, _reader_list

# The models can only be imported once Django is set up, which _audience did.
from django.db import connection  # isort: skip

from newsroom import owner  # isort: skip
from subscribers import consent  # isort: skip
from subscribers.models import ConsentEvent, Newsletter, Subscriber, Subscription, Suppression  # isort: skip

ROWS = int(os.environ.get("ROWS", "1000000"))
# In the order of their foreign keys.
TABLES = ("subscribers_subscriber", "subscribers_consentevent", "subscribers_subscription")
SAMPLE_SECONDS = 0.05
EMPTY = """
SET newsroom.allow_truncate = on;
TRUNCATE digests_delivery, subscribers_subscription, subscribers_subscriber, subscribers_suppression,
    subscribers_consentevent CASCADE;
"""

say = functools.partial(_figures.say, "import")


@dataclass
class Run:
    """One import: how long it took, what it needed, and what it said."""

    seconds: float = 0.0
    # CPU seconds of our processes and of the server's.
    ours: float = 0.0
    server: float = 0.0
    megabytes: float = 0.0
    output: str = ""

    @property
    def cpu(self) -> float:
        """CPU seconds in all."""
        return self.ours + self.server


def main() -> None:
    """Import, copy, compare; then kill."""
    newsletter = _audience.create(readers=0)
    newsletter.offers.get_or_create(cadence="instant")
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "readers.csv", Path(folder) / "tenth.csv"
        _reader_list.write(large, rows=ROWS)
        _reader_list.write(small, rows=max(ROWS // 10, 1))
        _empty()
        tenth = bring_in(small, newsletter)
        undisturbed = _counts()
        _empty()
        whole = bring_in(large, newsletter)
        sys.stderr.write(whole.output)
        stored = _counts()
        if (broken := consent.verify()) is not None:
            sys.exit(f"The consent chain is broken: {broken.reason}")
        limit = copied(Path(folder))
        report(whole, tenth, limit, sum(stored.values()))
        killed(small, newsletter, undisturbed)


def report(whole: Run, tenth: Run, limit: Run, stored: int) -> None:
    """Print the figures of the import and of the bare COPY."""
    say("import", ROWS / whole.seconds, "records/s", records=ROWS, seconds=round(whole.seconds, 1))
    say("bare COPY of what it stored", ROWS / limit.seconds, "records/s", rows=stored, seconds=round(limit.seconds, 1))
    say("import beside COPY", whole.seconds / limit.seconds, "times")
    say(
        "CPU of import beside COPY",
        whole.cpu / limit.cpu,
        "times",
        ours=round(whole.ours, 1),
        server=round(whole.server, 1),
        copy=round(limit.cpu, 1),
    )
    say("memory", whole.megabytes, "MB", records=ROWS)
    say("memory of a tenth", tenth.megabytes, "MB", records=ROWS // 10)


def bring_in(path: Path, newsletter: Newsletter) -> Run:
    """The command in a process of its own, to its end."""
    servers = _measuring.Meter()
    servers.read(_measuring.postgres())
    began, run = time.monotonic(), Run()
    with _started(path, newsletter) as process, _watched(process, run, servers):
        run.output = process.communicate()[0]
    if process.returncode != 0:
        sys.exit(f"The import ended with {process.returncode}.")
    run.seconds = time.monotonic() - began
    return run


def killed(path: Path, newsletter: Newsletter, undisturbed: dict[str, int]) -> None:
    """Kill an import in its middle and begin it again, as a person would: with the same command."""
    _empty()
    with _started(path, newsletter) as process:
        _wait_for(undisturbed["Subscription"] // 2, process)
        for one in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)
    before = Subscription.objects.count()
    began = time.monotonic()
    with _started(path, newsletter) as process:
        _wait_for(before + 1, process)
        say("from kill -9 to the first new readers", time.monotonic() - began, "s", there_already=before)
        sys.stderr.write(process.communicate()[0])
    if _counts() != undisturbed:
        sys.exit(f"The killed import stored {_counts()}, not {undisturbed}.")
    if (broken := consent.verify()) is not None:
        sys.exit(f"After the kill the consent chain is broken: {broken.reason}")
    say("killed import ends as the undisturbed one", 1, "yes")


def copied(folder: Path) -> Run:
    """What is stored now, emptied and copied in again: the limit."""
    files = [(name, folder / name) for name in TABLES]
    for table, path in files:
        statement = sql.SQL("COPY (SELECT * FROM {} ORDER BY id) TO STDOUT").format(sql.Identifier(table))
        with path.open("wb") as file, connection.cursor() as cursor, cursor.copy(statement) as copy:
            file.writelines(copy)
    _empty()
    servers, run = _measuring.Meter(), Run()
    servers.read(_measuring.postgres())
    began, used = time.monotonic(), time.process_time()
    for table, path in files:
        statement = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
        with path.open("rb") as file, connection.cursor() as cursor, cursor.copy(statement) as copy:
            while block := file.read(1 << 16):
                copy.write(block)
    run.seconds = time.monotonic() - began
    servers.read(_measuring.postgres())
    run.ours, run.server = time.process_time() - used, servers.seconds()
    return run


@contextlib.contextmanager
def _started(path: Path, newsletter: Newsletter) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "manage.py", "import_subscribers", str(path), "--newsletter", newsletter.slug]
    command += ["--basis", "double opt-in at the former system", "--report", str(path.with_suffix(".refused"))]
    with subprocess.Popen(
        command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield process


@contextlib.contextmanager
def _watched(process: subprocess.Popen[str], run: Run, servers: _measuring.Meter) -> Iterator[None]:
    """Read what the process, its children and the server use, often, until the block ends."""
    ended = threading.Event()
    clients = _measuring.Meter()
    clients.read([])

    def watch() -> None:
        ours = psutil.Process(process.pid)
        while not ended.wait(SAMPLE_SECONDS):
            with contextlib.suppress(psutil.NoSuchProcess):
                family = [ours, *ours.children(recursive=True)]
                clients.read(family)
                run.megabytes = max(run.megabytes, sum(one.memory_info().rss for one in family) / 2**20)
                servers.read(_backends())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()
    run.ours, run.server = clients.seconds(), servers.seconds()


def _backends() -> list[psutil.Process]:
    """The server's processes, without asking the server."""
    parents = {process.parent() for process in _measuring.postgres()} if not _SERVER else set(_SERVER)
    _SERVER.extend(parents - {None} - set(_SERVER))  # type: ignore[arg-type]  # None is taken out
    return [child for server in _SERVER for child in server.children()]


_SERVER: list[psutil.Process] = []


def _wait_for(count: int, process: subprocess.Popen[str]) -> None:
    while Subscription.objects.count() < count and process.poll() is None:
        time.sleep(SAMPLE_SECONDS)


def _counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in (Subscriber, ConsentEvent, Subscription, Suppression)}


def _empty() -> None:
    with owner.rights(), connection.cursor() as cursor:
        cursor.execute(EMPTY)
        for table in TABLES:
            cursor.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(table)))


if __name__ == "__main__":
    main()
