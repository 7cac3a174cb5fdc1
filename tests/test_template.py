"""The template of the test database is as new as the code."""

from pathlib import Path

import pytest
from django.db import connection

from tests import template


@pytest.mark.django_db
def test_the_database_is_a_copy_of_the_template_of_this_code() -> None:
    name = f"{template.PREFIX}{template.fingerprint(template.ROOT)}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [template.PREFIX])
        assert cursor.fetchall() == [(name,)]
    assert connection.settings_dict["TEST"]["TEMPLATE"] == name


def test_a_changed_migration_needs_another_template(tmp_path: Path) -> None:
    migration = tmp_path / "articles" / "migrations" / "0001_initial.py"
    migration.parent.mkdir(parents=True)
    migration.write_text("operations = []")
    before = template.fingerprint(tmp_path)
    migration.write_text("operations = [1]")
    assert template.fingerprint(tmp_path) != before
    migration.rename(migration.with_name("0002_second.py"))
    assert template.fingerprint(tmp_path) != before
