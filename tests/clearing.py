"""Empties the database after a test that commits: only what it wrote, in milliseconds.

Django's own way truncates every table and makes all permissions and groups again, a third
of a second each time. It still does so whenever a test changed what migrations leave behind,
or where the database user may not set triggers aside (they guard the consent record).
"""

from collections.abc import Callable

from django.db import ProgrammingError, connection
from django.test import TransactionTestCase

from tests import ownership

# What migrations and their signals fill; not a test's to keep changed.
STANDING = frozenset({"auth_group", "auth_group_permissions", "auth_permission", "django_content_type"})
SET_TRIGGERS_ASIDE = "SET LOCAL session_replication_role = replica"

# django-stubs leave private methods out.
truncate_all: Callable[[TransactionTestCase], None] = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]  # above


class Clearing:
    """The teardown of every transactional test of one session; made right after the migrations."""

    def __init__(self) -> None:
        """The database is as the migrations left it."""
        names = connection.introspection.django_table_names(only_existing=True, include_views=False)
        assert set(names) > STANDING
        self._written = " UNION ALL ".join(
            f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")"  # noqa: S608  # our own tables' names
            for name in sorted(set(names) - STANDING)
        )
        self._standing = self._fingerprints()

    def clear(self, case: TransactionTestCase) -> None:
        """After: as in `__init__`, but for the sequences, which Django leaves alone too."""
        if not self._delete():
            with ownership.owner():
                truncate_all(case)
            self._standing = self._fingerprints()

    def _delete(self) -> bool:
        """False, with nothing changed, if this needs Django's own way."""
        if self._fingerprints() != self._standing:
            return False
        written = [name for (name,) in _rows(self._written)]
        try:
            with ownership.owner(), connection.cursor() as cursor:
                cursor.execute(SET_TRIGGERS_ASIDE)
                for name in written:
                    cursor.execute(f'DELETE FROM "{name}"')  # noqa: S608  # as above
        except ProgrammingError:
            return False
        return True

    def _fingerprints(self) -> list[tuple[str]]:
        return _rows(
            " UNION ALL ".join(
                f"SELECT md5(string_agg(row::text, ' ' ORDER BY row::text)) FROM \"{name}\" AS row"  # noqa: S608  # as above
                for name in sorted(STANDING)
            )
        )


def _rows(query: str) -> list[tuple[str]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        rows: list[tuple[str]] = cursor.fetchall()
    return rows
