"""Rows as a program beside Newsroom, or a Newsroom from before, might have left them."""

from datetime import datetime

from django.db import connection, models


def write(model: type[models.Model], **values: str | datetime) -> None:
    """Set columns of all rows of a model, past everything that cleans or refuses them."""
    columns = ", ".join(f"{connection.ops.quote_name(name)} = %s" for name in values)
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {columns}", list(values.values()))  # noqa: S608  # our own names
