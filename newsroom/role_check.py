"""A system check: the application's database role has no more rights than it needs.

It asks the server, so it runs only with `manage.py check --deploy` and at the start of bin/run in production.
"""

from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004  # Django's own name for it
from django.db import DatabaseError, connection

RIGHTS = """
SELECT bool_or(rolsuper), bool_or(pg_has_role(relowner, 'USAGE')),
    bool_or(has_table_privilege(pg_class.oid, 'TRUNCATE, TRIGGER')), has_schema_privilege(current_schema(), 'CREATE')
FROM pg_class, pg_roles
WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND rolname = current_user
"""
SECOND_ROLE = (
    "Make a second role: CREATE ROLE newsroom_app LOGIN PASSWORD '...'. Let DATABASE_URL name it, give the URL of "
    "today to `manage.py migrate` alone as DATABASE_OWNER_URL, and run that: it grants what the application needs "
    "(docs/operations.md)."
)
TAKE_BACK = (
    "Run `manage.py migrate` with DATABASE_OWNER_URL, which takes back what is too much; and, up to PostgreSQL 14, "
    "as a superuser: REVOKE CREATE ON SCHEMA public FROM PUBLIC."
)


@register(Tags.database, deploy=True)
def application_role(**_: Any) -> list[CheckMessage]:
    """One warning if an intruder with the application's role could change the consent record or its triggers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(RIGHTS)
            is_superuser, owns, may_empty, may_create = cursor.fetchone()
    except DatabaseError:
        return []  # another check says so
    has_no_tables = owns is None
    if is_superuser or owns or (has_no_tables and may_create):
        what, hint = "is a superuser" if is_superuser else "owns the tables", SECOND_ROLE
    elif may_empty or may_create:
        what, hint = "may empty tables" if may_empty else "may make tables", TAKE_BACK
    else:
        return []
    sentence = f"The role of DATABASE_URL {what}: it could switch off what guards the record of consent."
    return [Warning(sentence, hint=hint, id="newsroom.W035")]
