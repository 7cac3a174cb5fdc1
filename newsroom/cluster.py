"""The roles and the database of the embedded PostgreSQL.

`newsroom` is the superuser that the cluster was made with, `newsroom_owner` owns the tables and
`newsroom_app` works with them. In clusters of before, the superuser was all three.
"""

from pathlib import Path

import psycopg

from core import locks
from newsroom import grants

SUPERUSER, OWNER, APPLICATION, DATABASE = "newsroom", "newsroom_owner", "newsroom_app", "newsroom"
# Starters at the same time make and move things one after the other.
READY_LOCK = "embedded cluster"
# The owner of the database is changed last, so that whatever was interrupted is done again.
IS_READY = f"""
SELECT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}' AND pg_get_userbyid(datdba) = '{OWNER}')
"""  # noqa: S608  # our own names
ROLES = {
    OWNER: [
        # Tests and `bin/run --check` make databases of their own.
        f"CREATE ROLE {OWNER} LOGIN CREATEDB",
        # Tests empty their tables without asking the triggers.
        f"GRANT SET ON PARAMETER session_replication_role TO {OWNER}",
    ],
    # Tests work as the application in the owner's session.
    APPLICATION: [f"CREATE ROLE {APPLICATION} LOGIN", f"GRANT {APPLICATION} TO {OWNER}"],
}
MOVE_OBJECTS = f"""
DO $$
DECLARE statement text;
BEGIN
    FOR statement IN
        SELECT format('ALTER TABLE %s OWNER TO {OWNER}', oid::regclass) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
        UNION ALL
        SELECT format('ALTER SEQUENCE %s OWNER TO {OWNER}', oid::regclass) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'
            -- The sequence of a column goes with its table.
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype IN ('a', 'i'))
        UNION ALL
        SELECT format('ALTER FUNCTION %s OWNER TO {OWNER}', oid::regprocedure) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
    LOOP
        EXECUTE statement;
    END LOOP;
END $$
"""  # noqa: S608  # our own names
# Those that tests left behind are the owner's to remove.
DATABASES = f"""
SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = '{SUPERUSER}' AND NOT datistemplate
    AND datname <> 'postgres' ORDER BY datname = '{DATABASE}'
"""  # noqa: S608  # our own names


def make_ready(sockets: Path) -> None:
    """After: both roles are there, and the database belongs to the owner. Before: the server runs."""
    with _session(sockets, "postgres") as session:
        if _is_ready(session):
            return
        session.execute(locks.UNTIL_DISCONNECT, [locks.key(READY_LOCK)])
        if _is_ready(session):
            return
        for role, statements in ROLES.items():
            if not grants.is_role(session, role):
                with session.transaction():
                    for statement in statements:
                        session.execute(statement.encode())
        _give_to_owner(session, sockets)


def _give_to_owner(session: grants.Session, sockets: Path) -> None:
    """After: the database and all that is in it is the owner's, whether it is new or was the superuser's."""
    older = [name for (name,) in session.execute(DATABASES.encode()).fetchall()]
    if DATABASE not in older:
        session.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}".encode())
    else:
        with _session(sockets, DATABASE) as inside, inside.transaction():
            inside.execute(MOVE_OBJECTS.encode())
            inside.execute(f"SET LOCAL ROLE {OWNER}".encode())
            grants.apply(inside, application=APPLICATION)
    for name in older:
        session.execute(f'ALTER DATABASE "{name}" OWNER TO {OWNER}'.encode())


def _is_ready(session: grants.Session) -> bool:
    row = session.execute(IS_READY.encode()).fetchone()
    return bool(row and row[0])


def _session(sockets: Path, database: str) -> grants.Session:
    return psycopg.connect(host=str(sockets), user=SUPERUSER, dbname=database, autocommit=True)
