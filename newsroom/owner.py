"""The database role that owns the tables. `manage.py migrate` needs it; nothing else does."""

import contextlib
from collections.abc import Iterator

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections


@contextlib.contextmanager
def rights(alias: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Inside, Django's connection of this thread is the owner's, to the same database.

    Without DATABASE_OWNER_URL it is the application's, as outside.
    """
    if not settings.DATABASE_OWNER:
        yield
        return
    application = connections[alias]
    connections[alias] = owner = application.copy()
    owner.settings_dict.update(settings.DATABASE_OWNER)
    try:
        yield
    finally:
        owner.close()
        connections[alias] = application
