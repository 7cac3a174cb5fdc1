"""docs/faults.md says which test proves what; each of them exists, and no fault is without one."""

import ast
import re

from django.conf import settings

PAGE = (settings.BASE_DIR / "docs" / "faults.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", PAGE)))


def test_each_test_that_is_named_exists() -> None:
    missing = []
    for path in sorted({path for path, _ in NAMED}):
        tree = ast.parse((settings.BASE_DIR / path).read_text(encoding="utf-8"))
        tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        missing += [f"{path}::{test}" for file, test in NAMED if file == path and test not in tests]
    assert NAMED
    assert missing == []


def test_no_fault_is_without_a_test() -> None:
    lines = dict(re.findall(r"^\| (F\d+) (\|.*)$", PAGE, re.MULTILINE))
    assert sorted(lines, key=lambda number: int(number[1:])) == [f"F{number}" for number in range(1, 26)]
    assert [number for number, line in lines.items() if "::test_" not in line] == []
