"""`manage.py migrate`: Django's own, as the owner of the tables; then the application's rights to them."""

from typing import Any

import psycopg
from django.conf import settings
from django.core.management import CommandError
from django.core.management.commands import migrate
from django.db import ProgrammingError, connections

from newsroom import database_url, grants, owner


class Command(migrate.Command):
    """Uses DATABASE_OWNER_URL if there is one, else DATABASE_URL, whose role then owns the tables."""

    def handle(self, *args: Any, **options: Any) -> None:
        """After: the tables are as the migrations say, and DATABASE_URL's role may use them and not change them."""
        alias, application = options["database"], database_url.role(settings.DATABASE_URL)
        with owner.rights(alias):
            connection = connections[alias]
            connection.ensure_connection()
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
