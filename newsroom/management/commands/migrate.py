"""`manage.py migrate`: Django's own, as the owner of the tables; then the application's rights to them."""

from typing import Any

from django.conf import settings
from django.core.management import CommandError
from django.core.management.commands import migrate
from django.db import connections

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
                super().handle(*args, **options)
                return
            if not grants.is_role(session, application):
                sentence = f'PostgreSQL has no role "{application}", which DATABASE_URL names.'
                raise CommandError(f"{sentence} Make it: CREATE ROLE {application} LOGIN PASSWORD '...';")
            super().handle(*args, **options)
            if not options["plan"]:
                connection.ensure_connection()
                grants.apply(connection.connection, application=application)
