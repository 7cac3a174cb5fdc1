"""Budgets: how long a file, a function and a class may be, and which module names are refused."""

import ast
import re
from functools import cache
from pathlib import Path
from statistics import median

from django.conf import settings

APPS = ("articles", "core", "digests", "mailkit", "newsroom", "postal", "publication", "staff", "subscribers")
FILE_LINES, FUNCTION_LINES, MODEL_LINES, VIEW_LINES, MEDIAN_LINES = 400, 50, 120, 25, 8
DRAWERS = {"utils", "helpers", "services", "common", "misc", "lib"}
EXEMPTION = re.compile(r"# (?:type: ignore\[[^\]]+\]|noqa: [A-Z]+\d+(?:, ?[A-Z]+\d+)*)(.*)")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*, tests: bool = True) -> list[Path]:
    """Every Python file of the apps but the migrations."""
    files = [path for app in APPS for path in sorted((settings.BASE_DIR / app).rglob("*.py"))]
    return [path for path in files if "migrations" not in path.parts and (tests or "tests" not in path.parts)]


def name(path: Path) -> str:
    return str(path.relative_to(settings.BASE_DIR))


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text(path))


@cache
def functions(path: Path) -> list[Function]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, Function)]


def lines(node: ast.AST) -> int:
    first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
    return int(last) - int(first) + 1


def is_view(path: Path) -> bool:
    return "views" in path.relative_to(settings.BASE_DIR).with_suffix("").parts


def test_no_file_is_a_drawer() -> None:
    besides = [path for folder in ("tests", "benchmarks") for path in (settings.BASE_DIR / folder).rglob("*.py")]
    assert [name(path) for path in [*sources(), *besides] if len(text(path).splitlines()) > FILE_LINES] == []
    assert [
        name(path) for path in sources() if DRAWERS & set(path.relative_to(settings.BASE_DIR).with_suffix("").parts)
    ] == []


def test_every_function_fits_on_a_screen() -> None:
    too_long = [
        f"{name(path)}: {node.name} has {lines(node)} lines"
        for path in sources()
        for node in functions(path)
        if lines(node) > (VIEW_LINES if is_view(path) else FUNCTION_LINES)
    ]
    assert not too_long, "\n".join(too_long)


def test_the_usual_function_is_short() -> None:
    lengths = [lines(node) for path in sources(tests=False) for node in functions(path)]
    assert median(lengths) <= MEDIAN_LINES


def test_models_hold_state_not_deeds() -> None:
    models = [path for path in sources() if path.name == "models.py"]
    assert models
    too_long = [
        f"{name(path)}: {node.name} has {lines(node)} lines"
        for path in models
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and lines(node) > MODEL_LINES
    ]
    assert not too_long, "\n".join(too_long)


def test_every_exemption_gives_its_reason() -> None:
    unexplained = []
    for path in sources():
        for number, line in enumerate(text(path).splitlines(), start=1):
            mark = EXEMPTION.search(line)
            if (mark and not re.search(r"[a-z]{3}", mark.group(1))) or line.endswith("# noqa"):
                unexplained.append(f"{name(path)}:{number}")
    assert not unexplained, "\n".join(unexplained)
