"""The tests work as the application's database role; what only the owner of the tables may do is asked for.

Django's connection is the owner's session, in which the application's role is set: so a test can
take the owner's rights for some statements and stay in its transaction. Real processes connect as
the application itself. Where one role is both, because DATABASE_URL alone is set, nothing is set.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from newsroom import database_url, env


def prepare() -> None:
    """Before the test database is made: the connection is the owner's."""
    connection.settings_dict.update(settings.DATABASE_OWNER)


@contextlib.contextmanager
def lent() -> Iterator[None]:
    """Inside, the owner's session has the application's rights. Before: the database is made and migrated."""
    options = connection.settings_dict["OPTIONS"]
    with_role = f"{options['options']} -c role={application()}" if settings.DATABASE_OWNER else options["options"]
    connection.close()
    connection.settings_dict["OPTIONS"] = {**options, "options": with_role}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["OPTIONS"] = options


@contextlib.contextmanager
def owner() -> Iterator[None]:
    """One transaction, or a savepoint of it, with the owner's rights."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('role')")
        before = cursor.fetchone()
        cursor.execute("SET LOCAL ROLE NONE")
        yield
        cursor.execute("SELECT set_config('role', %s, true)", before)


def application() -> str:
    """The name of the application's role."""
    return database_url.role(settings.DATABASE_URL)


def application_settings() -> dict[str, Any]:
    """How a process of its own connects as the application, but for the name of the test database."""
    return env.database(settings.DATABASE_URL)
