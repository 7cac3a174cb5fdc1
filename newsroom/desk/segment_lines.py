"""The conditions of a segment as lines of a form: a field, a comparison, a value from those that there are.

Everything works by buttons of one form; a script only presses “Count” when a line changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.http import QueryDict
from django.utils.functional import Promise

from newsroom.desk import steps
from subscribers import segment_fields, segments
from subscribers.models import Newsletter
from subscribers.segment_fields import OPS, Choices
from subscribers.segments import MOST_CONDITIONS, Condition

REMOVE: Final = "remove-"


@dataclass(frozen=True, slots=True)
class Line:
    """One condition as it is shown. Without `values` one is typed, in an input of this `kind`."""

    number: int
    condition: Condition
    label: str | Promise
    ops: list[tuple[str, str]]
    values: Choices | None
    kind: str = "date"


def typed(data: QueryDict) -> list[Condition]:
    """The conditions of a form that was sent, after the button that was pressed: one more, or one less."""
    rows = [
        Condition(data.get(f"field-{number}", ""), data.get(f"op-{number}", ""), data.get(f"value-{number}", ""))
        for number in range(MOST_CONDITIONS)
        if f"field-{number}" in data
    ]
    act = data.get("act", "")
    removed = steps.numbers([act.removeprefix(REMOVE)]) if act.startswith(REMOVE) else []
    if removed and removed[0] < len(rows):
        del rows[removed[0]]
    name = str(data.get("add", ""))
    field = segment_fields.get(name)
    if act == "add" and field is not None:
        rows.append(Condition(name, field.ops[0], ""))
    return rows


def shown(*, newsletter: Newsletter, conditions: Sequence[Condition], user: User) -> list[Line]:
    """The lines with what each offers. A condition that cannot be asked any more has no comparison."""
    lines = []
    for number, condition in enumerate(conditions):
        field = segment_fields.get(condition.field)
        lines.append(
            Line(
                number,
                condition,
                field.label if field else condition.field,
                [(op, str(OPS[op])) for op in field.ops] if field else [],
                segments.offered(newsletter=newsletter, name=condition.field, user=user) if field else [],
            )
        )
    return lines
