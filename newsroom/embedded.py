"""The PostgreSQL and the Redis that come with the project, for a laptop."""

from pathlib import Path


def database_url(var: Path) -> str:
    """The address of the embedded PostgreSQL, which runs when this returns."""
    raise NotImplementedError(f"set DATABASE_URL; nothing is embedded below {var.name} yet")


def redis_url(var: Path) -> str:
    """The address of the embedded Redis, which runs when this returns."""
    raise NotImplementedError(f"set REDIS_URL; nothing is embedded below {var.name} yet")
