"""Many rows at once: written by COPY, and found by one array of values.

A statement with thousands of parameters is written, sent and parsed value by value; an array is one value, and
COPY is no statement per row. What Django's fields do with a value is done here once for all rows where it is the
same in all of them.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models import F, Field, Func, Model, Value
from django.db.models.expressions import DatabaseDefault
from psycopg.adapt import PyFormat, Transformer

BLOCK = 2_000  # rows
# What COPY's text format reads as something else.
SPECIAL = re.compile(r"[\\\b\t\n\v\f\r]")
ESCAPES = str.maketrans({"\\": r"\\", "\b": r"\b", "\t": r"\t", "\n": r"\n", "\v": r"\v", "\f": r"\f", "\r": r"\r"})


def copy_in(*, example: Model, varying: Sequence[str], rows: Iterable[tuple[str | int, ...]]) -> None:
    """Write one row for each of `rows`: the values of `varying`, columns by their names, and else those of `example`.

    Texts must be as their column holds them, since no field cleans them on this way. Must run inside a transaction.
    On failure: IntegrityError and the like, as of any statement, and nothing of it is kept.
    """
    meta = example._meta  # noqa: SLF001  # Django documents it as public
    # The database itself fills what the example leaves to it.
    columns = [
        field for field in meta.concrete_fields if not isinstance(getattr(example, field.attname), DatabaseDefault)
    ]
    places = {name: place for place, name in enumerate(varying)}
    line = "\t".join("%s" if field.attname in places else _constant(example, field) for field in columns) + "\n"
    order = [places[field.attname] for field in columns if field.attname in places]
    names = ", ".join(connection.ops.quote_name(str(field.column)) for field in columns)
    statement = f"COPY {connection.ops.quote_name(meta.db_table)} ({names}) FROM STDIN"
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(statement) as copy:
        for block in _blocks(line, order, rows):
            copy.write(block)


def reserve(*, model: type[Model], count: int) -> list[int]:
    """`count` new primary keys of the model, in rising order, which no other row will get."""
    meta = model._meta  # noqa: SLF001  # Django documents it as public
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
            [meta.db_table, meta.pk.column, count],
        )
        return [number for (number,) in cursor.fetchall()]


def any_of(column: str, values: Collection[str] | Collection[int]) -> Func:
    """For `filter(any_of("column", values))`: as `column__in=values`, with one parameter however many there are."""
    is_number = any(isinstance(value, int) for value in values)
    base: Field[Any, Any] = models.BigIntegerField() if is_number else models.CharField()
    array = Value(list(values), output_field=ArrayField(base))
    return Func(
        F(column), array, template="(%(expressions)s))", arg_joiner=" = ANY (", output_field=models.BooleanField()
    )


def _constant(example: Model, field: "Field[Any, Any]") -> str:
    """The value of a column that all rows share, ready for the pattern of a line."""
    value = field.get_db_prep_save(field.pre_save(example, add=True), connection)
    if value is None:
        return r"\N"
    connection.ensure_connection()
    transformer = Transformer(connection.connection)
    dumped = transformer.get_dumper(value, PyFormat.TEXT).dump(value)
    return _escaped(bytes(dumped or b"").decode()).replace("%", "%%")


def _blocks(line: str, order: Sequence[int], rows: Iterable[tuple[str | int, ...]]) -> Iterable[bytes]:
    lines: list[str] = []
    for row in rows:
        values = [row[place] for place in order]
        lines.append(line % tuple([_escaped(value) if isinstance(value, str) else value for value in values]))
        if len(lines) == BLOCK:
            yield "".join(lines).encode()
            lines.clear()
    yield "".join(lines).encode()


def _escaped(text: str) -> str:
    return text.translate(ESCAPES) if SPECIAL.search(text) else text
