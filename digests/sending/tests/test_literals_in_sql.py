"""SQL that is written by hand names states and reasons by their values. Each is one that the models know."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

from digests.delivery_reasons import DeliveryReason
from digests.models import DeliveryEvent
from digests.states import DeliveryState, IssueState

DIGESTS = Path(__file__).resolve().parents[2]
STATES = {*IssueState.values, *DeliveryState.values, *DeliveryEvent.Kind.values, *DeliveryReason.values}
# A sequence, two tables, and a key of a copy's reason.
NAMES = {"digests_fence", "digests_delivery", "digests_delivery_open", "said"}


def statements() -> Iterator[str]:
    for path in [*DIGESTS.glob("*.py"), *(DIGESTS / "sending").rglob("*.py")]:
        if "tests" not in path.parts:
            nodes = ast.walk(ast.parse(path.read_text()))
            yield from (node.value for node in nodes if isinstance(node, ast.Constant) and is_sql(node.value))


def is_sql(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(re.search(r"\b(SELECT|UPDATE|INSERT|WHERE)\b.*digests_", value, re.DOTALL))


def test_each_literal_is_a_state_that_the_models_know() -> None:
    literals = {literal for sql in statements() for literal in re.findall(r"'([a-z_]+)'", sql)}
    assert literals > {"claimed", "attempting"}
    assert literals - STATES - NAMES == set()
