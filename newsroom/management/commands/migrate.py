"""`manage.py migrate`: Django's own, as the owner of the tables; then the application's rights to them."""

from typing import Any

import psycopg
from django.conf import settings
from django.core.management import CommandError
from django.core.management.commands import migrate
from django.db import ProgrammingError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader

from newsroom import database_url, embedded_place, grants, owner

OURS = ("articles", "digests", "publication", "subscribers")
OLD = (
    "These tables were made by a version before 0.1.0, which cannot be upgraded: let DATABASE_URL name an empty "
    "database, or, for the embedded one, move its directory {home} away while nothing runs; then start again."
)


class Command(migrate.Command):
    """Uses DATABASE_OWNER_URL if there is one, else DATABASE_URL, whose role then owns the tables."""

    def handle(self, *args: Any, **options: Any) -> None:
        """After: the tables are as the migrations say, and DATABASE_URL's role may use them and not change them."""
        alias, application = options["database"], database_url.role(settings.DATABASE_URL)
        with owner.rights(alias):
            connection = connections[alias]
            connection.ensure_connection()
            _refuse_old_tables(connection)
            session: grants.Session = connection.connection
            if application == session.info.user:
                self._migrate(*args, **options)
                return
            if not grants.is_role(session, application):
                sentence = f'PostgreSQL has no role "{application}", which DATABASE_URL names.'
                raise CommandError(f"{sentence} Make it: CREATE ROLE {application} LOGIN PASSWORD '...';")
            self._migrate(*args, **options)
            if not options["plan"]:
                connection.ensure_connection()
                grants.apply(connection.connection, application=application)

    def _migrate(self, *args: Any, **options: Any) -> None:
        try:
            super().handle(*args, **options)
        except ProgrammingError as error:
            if not isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
                raise
            variable = "DATABASE_OWNER_URL" if settings.DATABASE_OWNER else "DATABASE_URL"
            raise CommandError(
                f"The role of {variable} may not change the tables ({str(error).splitlines()[0]}). "
                "Give the URL of their owner as DATABASE_OWNER_URL (docs/operations.md)."
            ) from error


def _refuse_old_tables(connection: BaseDatabaseWrapper) -> None:
    """Before anything is changed: the migrations were written again for 0.1.0, and older ones lead nowhere."""
    loader = MigrationLoader(connection)
    if any(app in OURS and (app, name) not in loader.disk_migrations for app, name in loader.applied_migrations):
        raise CommandError(OLD.format(home=embedded_place.place(settings.VAR_DIR).home))
