"""Rows whose order is in a form: their numbers, and one step of one of them that a button asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

# Longer numbers are no row's.
MOST_DIGITS: Final = 12


class Step(NamedTuple):
    """Such as `story up 7`: a kind of rows, what happens, and the number of the row to which it happens."""

    kind: str
    name: str
    number: int


def numbers(values: Iterable[str]) -> list[int]:
    """The keys of rows in a form, each once; what is no number is left out."""
    return list(dict.fromkeys(int(value) for value in values if _is_number(value)))


def read(move: str) -> Step | None:
    """The step that a button's value names; None if it is none."""
    kind, _space, rest = move.partition(" ")
    name, _space, number = rest.partition(" ")
    return Step(kind, name, int(number)) if name and _is_number(number) else None


def taken(step: Step, before: Sequence[int]) -> list[int]:
    """The numbers after the step: up, down, lead, remove; any other word puts the number at the end."""
    place = before.index(step.number) if step.number in before else len(before)
    rest = [each for each in before if each != step.number]
    if step.name == "remove":
        return rest
    place = {"up": max(0, place - 1), "down": place + 1, "lead": 0}.get(step.name, len(rest))
    return [*rest[:place], step.number, *rest[place:]]


def _is_number(value: str) -> bool:
    return value.isdecimal() and len(value) <= MOST_DIGITS
