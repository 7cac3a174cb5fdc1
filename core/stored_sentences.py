"""Turns a column of finished sentences into codes with parameters, for migrations: one pass over the table.

A sentence that no rule knows becomes the code `other` with itself as the parameter `text`: nothing is lost.
"""

from collections.abc import Sequence
from typing import NamedTuple

from django.db.migrations import RunSQL


class Rule(NamedTuple):
    """Sentences of one shape: a pattern of the whole text, the code, and what the pattern's brackets hold."""

    pattern: str
    code: str
    parameters: tuple[str, ...] = ()
    condition: str = "true"


def to_codes(*, table: str, column: str, length: int, rules: Sequence[Rule]) -> RunSQL:
    """The operation; before it the column `<column>_parameters` has been added as jsonb."""
    codes, values = [], []
    for rule in rules:
        when = f"WHEN {rule.condition} AND {column} ~ {_quoted(rule.pattern)} THEN"
        codes.append(f"{when} {_quoted(rule.code)}")
        values.append(f"{when} {_object(rule, column)}")
    other = f"jsonb_build_object('text', {column})"
    code = f"CASE WHEN {column} = '' THEN '' {' '.join(codes)} ELSE 'other' END"
    value = f"CASE WHEN {column} = '' THEN NULL {' '.join(values)} ELSE {other} END"
    # One statement, so that both expressions read the old sentence and the table is written once.
    forward = (
        f"ALTER TABLE {table} ALTER COLUMN {column} TYPE varchar(32) USING {code}, "
        f"ALTER COLUMN {column}_parameters TYPE jsonb USING {value}"
    )
    text = f"left(COALESCE({column}_parameters->>'text', {column}), {length})"
    return RunSQL(forward, f"ALTER TABLE {table} ALTER COLUMN {column} TYPE varchar({length}) USING {text}")


def _object(rule: Rule, column: str) -> str:
    if not rule.parameters:
        return "NULL"
    match = f"regexp_match({column}, {_quoted(rule.pattern)})"
    pairs = (f"'{name}', ({match})[{place}]" for place, name in enumerate(rule.parameters, start=1))
    return f"jsonb_build_object({', '.join(pairs)})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
