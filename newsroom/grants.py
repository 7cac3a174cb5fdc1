"""What the application's database role may do: read and write rows, and nothing besides.

Tables, triggers and sequences belong to the owner, who is used by `manage.py migrate` alone. The
application cannot drop, disable or empty what it does not own, so what the triggers keep, above all
the record of consent, is kept from it too.
"""

from typing import Any

import psycopg
from psycopg import sql

from core import locks

Session = psycopg.Connection[Any]

TABLES = "SELECT, INSERT, UPDATE, DELETE"
SEQUENCES = "USAGE, SELECT"
# Where less is enough, or more is needed.
PARTICULAR = {
    "django_migrations": "SELECT",
    "subscribers_consentevent": "SELECT, INSERT",
    "staff_auditevent": "SELECT, INSERT",
    "digests_snapshot": "SELECT, INSERT, DELETE",
    "digests_variant": "SELECT, INSERT, DELETE",
    # `after_restore` moves the fences on.
    "digests_fence": "USAGE, SELECT, UPDATE",
}
# Two migrations at once would change the same rows of PostgreSQL's catalogue.
GRANT_LOCK = "grants"
OWNED = """
SELECT relname, relkind = 'S' FROM pg_class
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
    AND pg_has_role(relowner, 'USAGE')
ORDER BY relname
"""
# What the application may have done with the owner's rights, and nobody else may.
FUNCTIONS = """
SELECT oid::regprocedure::text FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace AND prosecdef AND pg_has_role(proowner, 'USAGE')
"""
SCHEMA = """
SELECT current_schema(), pg_has_role(nspowner, 'USAGE') FROM pg_namespace
WHERE oid = current_schema()::regnamespace
"""


def is_role(session: Session, name: str) -> bool:
    """Whether the server knows a role of this name."""
    return session.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone() is not None


def apply(session: Session, *, application: str) -> None:
    """Before: the session is the owner's, and the role `application` exists and is another.

    After: it has these rights in the current schema, on what is there and on what the owner will make,
    and no others. Other sessions see the old ones or the new ones meanwhile.
    """
    role = sql.Identifier(application)
    with session.transaction():
        session.execute(locks.UNTIL_COMMIT, [locks.key(GRANT_LOCK)])
        schema, is_ours = session.execute(SCHEMA).fetchone() or ("", False)
        for name, is_sequence in session.execute(OWNED).fetchall():
            kind = sql.SQL("SEQUENCE" if is_sequence else "TABLE")
            rights = sql.SQL(PARTICULAR.get(name, SEQUENCES if is_sequence else TABLES))
            place = sql.Identifier(schema, name)
            session.execute(sql.SQL("REVOKE ALL ON {} {} FROM {}, PUBLIC").format(kind, place, role))
            session.execute(sql.SQL("GRANT {} ON {} {} TO {}").format(rights, kind, place, role))
        for (name,) in session.execute(FUNCTIONS).fetchall():
            session.execute(sql.SQL("REVOKE ALL ON FUNCTION {} FROM PUBLIC").format(sql.SQL(name)))
            session.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.SQL(name), role))
        for statement in _FUTURE + (_SCHEMA if is_ours else []):
            session.execute(sql.SQL(statement).format(schema=sql.Identifier(schema), role=role))


_FUTURE = [
    f"ALTER DEFAULT PRIVILEGES IN SCHEMA {{schema}} GRANT {TABLES} ON TABLES TO {{role}}",
    f"ALTER DEFAULT PRIVILEGES IN SCHEMA {{schema}} GRANT {SEQUENCES} ON SEQUENCES TO {{role}}",
]
# Up to PostgreSQL 14 everybody could make tables in the schema `public`.
_SCHEMA = [
    "REVOKE CREATE ON SCHEMA {schema} FROM {role}, PUBLIC",
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
]
