"""The migrated database, kept as a template that each process of the tests copies in a moment.

Its name has a hash of what makes it, so that a changed migration makes a new one.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connection

from core import locks

ROOT: Final = Path(__file__).resolve().parent.parent
# What a new database holds: tables by migrations, also those of packages; groups and rights by the apps and grants.
SOURCES: Final = ("*/migrations/*.py", "*/apps.py", "newsroom/grants.py", "publication/groups.py", "requirements.txt")
# A server that several checkouts share keeps one for each.
PREFIX: Final = f"newsroom_template_{hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:8]}_"
LOCK: Final = f"{PREFIX}is made"


def prepare() -> None:
    """After: the test database will be made from the template. Before: the connection is the owner's."""
    name = f"{PREFIX}{fingerprint(ROOT)}"
    with connection._nodb_cursor() as cursor:
        # Others wait for the first to migrate, which takes seconds.
        cursor.execute("SET lock_timeout = 0")
        cursor.execute(locks.UNTIL_DISCONNECT, [locks.key(LOCK)])
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX])
        present = {row for (row,) in cursor.fetchall()}
        if name not in present:
            for outdated in present:
                cursor.execute(f'DROP DATABASE "{outdated}"')
            _make(name, cursor)
    connection.settings_dict["TEST"]["TEMPLATE"] = name


def fingerprint(root: Path) -> str:
    """Changes with each of the SOURCES."""
    digest = hashlib.sha256()
    for path in sorted(path for source in SOURCES for path in root.glob(source)):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _make(name: str, cursor: Any) -> None:
    """It gets its name when it is complete."""
    with _names(unfinished := f"{PREFIX}unfinished"):
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        connection.close()
    cursor.execute(f'ALTER DATABASE "{unfinished}" RENAME TO "{name}"')


@contextlib.contextmanager
def _names(database: str) -> Iterator[None]:
    """Temporarily rename the test database."""
    before = connection.settings_dict["NAME"], connection.settings_dict["TEST"]["NAME"]
    connection.settings_dict["TEST"]["NAME"] = database
    try:
        yield
    finally:
        connection.settings_dict["NAME"], connection.settings_dict["TEST"]["NAME"] = before
        settings.DATABASES["default"]["NAME"] = before[0]
