"""The application's role reads and writes rows; it cannot get at what guards them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from newsroom import cluster, database_url, embedded, owner, role_check
from newsroom.running import processes
from subscribers.models import ConsentEvent
from tests import ownership

pytestmark = pytest.mark.skipif(
    not settings.DATABASE_OWNER, reason="DATABASE_URL alone is set: its role owns the tables"
)

# What would be needed to change a record of consent without a trace, or to do any harm to tables.
REFUSED = [
    "DROP TRIGGER consent_event_is_append_only ON subscribers_consentevent",
    "ALTER TABLE subscribers_consentevent DISABLE TRIGGER consent_event_is_append_only",
    "ALTER TABLE subscribers_consentevent DISABLE TRIGGER ALL",
    "ALTER TABLE subscribers_consentevent OWNER TO CURRENT_USER",
    "CREATE OR REPLACE FUNCTION subscribers_refuse_change() RETURNS trigger LANGUAGE plpgsql AS ' BEGIN END'",
    "DROP FUNCTION subscribers_refuse_change() CASCADE",
    "CREATE TRIGGER mine BEFORE INSERT ON subscribers_letter EXECUTE FUNCTION subscribers_refuse_change()",
    "CREATE RULE mine AS ON DELETE TO subscribers_letter DO INSTEAD NOTHING",
    "TRUNCATE subscribers_consentevent CASCADE",
    "TRUNCATE subscribers_letter CASCADE",
    "DROP TABLE subscribers_consentevent CASCADE",
    "DROP TABLE digests_delivery_open",
    "ALTER TABLE digests_delivery DETACH PARTITION digests_delivery_open",
    "CREATE TABLE mine (word text)",
    "CREATE SCHEMA mine",
    "CREATE DATABASE mine",
    "SET session_replication_role = replica",
    "UPDATE subscribers_consentevent SET source = 'forged'",
    "DELETE FROM subscribers_consentevent",
    "UPDATE digests_snapshot SET subject = 'Another'",
    "DELETE FROM django_migrations",
    "BEGIN; LOCK TABLE subscribers_consentevent IN ACCESS EXCLUSIVE MODE",
    f"SET ROLE {cluster.OWNER}",
    f"SET SESSION AUTHORIZATION {cluster.SUPERUSER}",
    f"ALTER ROLE {cluster.APPLICATION} SUPERUSER",
    "COPY subscribers_letter TO PROGRAM 'cat'",
]


@pytest.fixture
def application(transactional_db: None) -> Iterator[psycopg.Connection[Any]]:
    """A connection as web and worker have it, to the test database."""
    name = connection.settings_dict["NAME"]
    url = urlunsplit(urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}"))
    with psycopg.connect(url, autocommit=True) as session:
        yield session


@pytest.mark.parametrize("statement", REFUSED)
def test_the_application_is_refused(application: psycopg.Connection[Any], statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(statement.encode())


def test_the_owner_s_functions_are_for_the_application_alone(application: psycopg.Connection[Any]) -> None:
    """They make and drop partitions; what they are meant for the application may do."""
    application.execute("SELECT digests_add_month('2025-10-01'), digests_drop_month('2025-10-01')")
    open_to_all = application.execute(
        "SELECT proname FROM pg_proc, aclexplode(COALESCE(proacl, acldefault('f', proowner))) AS granted"
        " WHERE prosecdef AND pronamespace = 'public'::regnamespace AND grantee = 0"
    ).fetchall()
    assert open_to_all == []


def test_the_application_owns_nothing(application: psycopg.Connection[Any]) -> None:
    own = application.execute(
        "SELECT count(*) FROM pg_shdepend WHERE refobjid = current_user::regrole AND deptype = 'o'"
    ).fetchone()
    role = application.execute(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication,"
        " EXISTS (SELECT FROM pg_auth_members WHERE member = pg_roles.oid)"
        " FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert own == (0,)
    assert role == (False,) * 6


def test_the_application_reads_and_writes_rows(application: psycopg.Connection[Any]) -> None:
    with application.transaction():
        application.execute("INSERT INTO django_session VALUES ('one', '', now())")
        application.execute("UPDATE django_session SET session_data = 'x'")
        assert application.execute("DELETE FROM django_session").rowcount == 1
        assert application.execute("SELECT nextval('digests_fence')").fetchone()
        # Large imports may go through a table of their own session.
        application.execute("CREATE TEMPORARY TABLE mine (word text)")
        raise psycopg.Rollback


def test_an_act_of_consent_is_written_and_stays(transactional_db: None) -> None:
    ConsentEvent.objects.create(
        kind="confirmed",
        subscriber_uuid="00000000-0000-0000-0000-000000000001",
        address_hash="0" * 64,
        occurred_at=timezone.now(),
        previous_hash="0" * 64,
        hash="1" * 64,
    )
    with pytest.raises(Exception, match="permission denied for table subscribers_consentevent"):
        ConsentEvent.objects.all().delete()
    assert ConsentEvent.objects.count() == 1


def test_a_table_of_the_next_migration_is_the_applications_to_use(application: psycopg.Connection[Any]) -> None:
    with owner.rights(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE next_release (id bigint GENERATED BY DEFAULT AS IDENTITY, word text)")
    try:
        application.execute("INSERT INTO next_release (word) VALUES ('x')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute("TRUNCATE next_release")
    finally:
        with owner.rights(), connection.cursor() as cursor:
            cursor.execute("DROP TABLE next_release")


def test_migrating_again_takes_back_what_was_granted_by_hand(application: psycopg.Connection[Any]) -> None:
    with owner.rights(), connection.cursor() as cursor:
        cursor.execute(f"GRANT ALL ON subscribers_consentevent TO {ownership.application()}, PUBLIC")
    call_command("migrate", verbosity=0)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute("DELETE FROM subscribers_consentevent")


def test_a_role_that_was_not_made_is_named_before_anything_is_migrated(transactional_db: None, settings: Any) -> None:
    settings.DATABASE_URL = "postgresql://nobody_yet@/newsroom"
    with pytest.raises(CommandError, match="CREATE ROLE nobody_yet"):
        call_command("migrate", verbosity=0)


def test_migrating_as_the_application_names_the_url_that_is_missing(transactional_db: None, settings: Any) -> None:
    settings.DATABASE_OWNER, settings.DATABASE_URL = {}, settings.DATABASE_OWNER_URL
    with pytest.raises(CommandError, match="owner as DATABASE_OWNER_URL"):
        call_command("migrate", "sessions", "zero", verbosity=0)


def test_a_role_that_could_switch_the_guards_off_is_warned_of(transactional_db: None) -> None:
    assert role_check.application_role() == []

    with owner.rights():
        (warning,) = role_check.application_role()
    assert warning.id == "newsroom.W035"
    assert "owns the tables" in warning.msg
    assert "DATABASE_OWNER_URL" in str(warning.hint)


def test_a_right_that_was_granted_by_hand_is_warned_of(transactional_db: None) -> None:
    with owner.rights(), connection.cursor() as cursor:
        cursor.execute(f'GRANT TRUNCATE ON subscribers_consentevent TO "{ownership.application()}"')
    (warning,) = role_check.application_role()
    assert "may empty tables" in warning.msg

    call_command("migrate", verbosity=0)
    assert role_check.application_role() == []


def test_the_owner_is_of_the_same_database() -> None:
    with pytest.raises(ImproperlyConfigured, match="same database"):
        database_url.owner("postgresql://a@/one", application_url="postgresql://b@/two", testing=False)


def test_an_owner_without_an_application_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DATABASE_URL", "DATABASE_URL_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgresql://a@/one")
    with pytest.raises(ImproperlyConfigured, match="set both"):
        database_url.both(tmp_path)


def test_programs_that_bin_run_starts_do_not_know_the_owner(tmp_path: Path) -> None:
    environment = {**os.environ, "DATABASE_OWNER_URL": "postgresql://a@/one", "DATABASE_OWNER_URL_FILE": "x"}
    log = tmp_path / "log"
    with processes.Group(tmp_path, environment) as group:
        group.start("program", ["timeit", "-n1", "-r1", "import os; print(sorted(os.environ))"], log=log)
        group.programs["program"].process.wait(60)
    assert "'PATH'" in log.read_text(encoding="utf-8")
    assert "DATABASE_OWNER" not in log.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_cluster_of_before_is_handed_to_its_owner(tmp_path: Path) -> None:
    """Its only role was a superuser, who owned everything."""
    here = embedded.place(tmp_path / "var")
    try:
        embedded.start_postgres(here)
        with psycopg.connect(host=str(here.sockets), user=cluster.SUPERUSER, dbname="postgres", autocommit=True) as old:
            old.execute("CREATE DATABASE newsroom")
            old.execute("CREATE DATABASE test_left_behind")
        with psycopg.connect(host=str(here.sockets), user=cluster.SUPERUSER, dbname="newsroom") as old:
            old.execute(OLD_TABLES)
        url = embedded.start_database(tmp_path / "var")
        with psycopg.connect(url) as application:
            assert application.execute("INSERT INTO story (word) VALUES ('b') RETURNING word").fetchone() == ("b",)
            assert application.execute("SELECT nextval('number'), last_value FROM story_id_seq").fetchone() == (1, 2)
            assert application.execute("SELECT word FROM subscribers_consentevent").fetchall() == [("kept",)]
        for statement in ("DELETE FROM subscribers_consentevent", "DROP TABLE story", "DROP FUNCTION one()"):
            with psycopg.connect(url) as application, pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute(statement.encode())
        with psycopg.connect(embedded.place(tmp_path / "var").owner_url, autocommit=True) as owner_session:
            owner_session.execute("DROP TABLE story; DROP SEQUENCE number; DROP FUNCTION one()")
            owner_session.execute("DROP DATABASE test_left_behind")
        assert embedded.start_database(tmp_path / "var") == url
    finally:
        embedded.remove(tmp_path / "var")


OLD_TABLES = """
CREATE TABLE story (id bigint GENERATED BY DEFAULT AS IDENTITY, word text);
CREATE TABLE subscribers_consentevent (word text);
CREATE SEQUENCE number;
CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';
INSERT INTO story (word) VALUES ('a');
INSERT INTO subscribers_consentevent VALUES ('kept');
"""
