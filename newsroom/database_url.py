"""Turns DATABASE_URL and DATABASE_OWNER_URL into the connections of the two roles."""

import getpass
import os
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from newsroom import embedded_place, env

# The same from this side: a connection whose server does not answer is given up within half a minute.
TIMEOUTS = {
    "connect_timeout": "5",
    "tcp_user_timeout": "20000",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}
# A lock that is not had in 10 s and a transaction left open for 60 s are faults, not waits.
# A host that vanished holds its lanes until the server notices: within a minute, not two hours.
SESSION = (
    "-c lock_timeout=10s -c idle_in_transaction_session_timeout=60s"
    " -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
)
# Tests alone may TRUNCATE the consent record, which a trigger otherwise forbids.
TEST_SESSION = f"{SESSION} -c newsroom.allow_truncate=on"


def both(var: Path) -> tuple[str, str]:
    """The application's URL and the owner's, which may be empty; the embedded server's if neither is set.

    Whether that one runs is not looked at.
    """
    url, owner_url = env.text("DATABASE_URL"), env.text("DATABASE_OWNER_URL")
    if url:
        return url, owner_url
    if owner_url:
        raise ImproperlyConfigured("DATABASE_OWNER_URL is set without DATABASE_URL: set both, or none of them.")
    here = embedded_place.place(var)
    return here.database_url, here.owner_url


def application(url: str, *, testing: bool) -> dict[str, Any]:
    """Django's settings for the connection that everything but `manage.py migrate` uses."""
    read = env.database(url)
    options = {**TIMEOUTS, **read["OPTIONS"], "options": TEST_SESSION if testing else SESSION}
    return {**read, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True, "OPTIONS": options}


def owner(url: str, *, application_url: str, testing: bool) -> dict[str, Any]:
    """What differs for the owner of the tables; {} without one. The database is the application's own."""
    if not url:
        return {}
    read, same = env.database(url, name="DATABASE_OWNER_URL"), env.database(application_url)
    if read["NAME"] != same["NAME"]:
        raise ImproperlyConfigured("DATABASE_OWNER_URL must name the same database as DATABASE_URL.")
    settings = application(url, testing=testing)
    return {name: settings[name] for name in ("USER", "PASSWORD", "HOST", "PORT", "OPTIONS")}


def role(url: str) -> str:
    """The role that the URL connects as; PostgreSQL's own rule if it names none."""
    return str(env.database(url)["USER"]) or os.environ.get("PGUSER") or getpass.getuser()
