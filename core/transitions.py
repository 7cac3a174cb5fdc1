"""Tables of state transitions, which verbs, buttons and tests read."""

from collections.abc import Collection, Mapping

from django.db.models import TextChoices

# A state and the one after it.
Moves = frozenset[tuple[str, str]]


def table(rows: Mapping[TextChoices, Collection[TextChoices]]) -> Moves:
    """The moves of a table that has, beside each state, those that may follow it."""
    return frozenset((str(old), str(new)) for old, targets in rows.items() for new in targets)


def before(state: TextChoices, moves: Moves) -> list[str]:
    """The states from which this one is reached, in their own order."""
    return [one for one in type(state).values if (one, str(state)) in moves]
