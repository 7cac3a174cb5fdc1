"""The budgets of the house: how long a file, a function, a class may be, and what nothing is called."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from django.conf import settings

APPS = ("articles", "digests", "mailkit", "newsroom", "publication", "subscribers")
FILE_LINES, FUNCTION_LINES, MODEL_LINES, VIEW_LINES, MEDIAN_LINES = 400, 50, 120, 25, 8
DRAWERS = {"utils", "helpers", "services", "common", "core", "misc", "lib"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*, tests: bool = True) -> list[Path]:
    """Every Python file of the apps but the migrations."""
    files = [path for app in APPS for path in sorted((settings.BASE_DIR / app).rglob("*.py"))]
    return [path for path in files if "migrations" not in path.parts and (tests or "tests" not in path.parts)]


def name(path: Path) -> str:
    return str(path.relative_to(settings.BASE_DIR))


def functions(path: Path) -> Iterator[Function]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def lines(node: ast.AST) -> int:
    first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
    return int(last) - int(first) + 1


def is_view(path: Path) -> bool:
    return "views" in path.relative_to(settings.BASE_DIR).with_suffix("").parts


@pytest.mark.parametrize("path", sources(), ids=name)
def test_no_file_is_a_drawer(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES
    assert not DRAWERS & set(path.relative_to(settings.BASE_DIR).with_suffix("").parts)


@pytest.mark.parametrize("path", sources(), ids=name)
def test_every_function_fits_on_a_screen(path: Path) -> None:
    limit = VIEW_LINES if is_view(path) else FUNCTION_LINES
    assert {node.name: lines(node) for node in functions(path) if lines(node) > limit} == {}


def test_the_usual_function_is_short() -> None:
    lengths = [lines(node) for path in sources(tests=False) for node in functions(path)]
    assert median(lengths) <= MEDIAN_LINES


@pytest.mark.parametrize("path", [path for path in sources() if path.name == "models.py"], ids=name)
def test_models_hold_state_not_deeds(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert {node.name: lines(node) for node in classes if lines(node) > MODEL_LINES} == {}


@pytest.mark.parametrize("path", sources(), ids=name)
def test_imports_stand_at_the_top(path: Path) -> None:
    hidden = [
        node.name
        for node in functions(path)
        if any(isinstance(inner, ast.Import | ast.ImportFrom) for inner in ast.walk(node))
    ]
    assert hidden == []


@pytest.mark.parametrize("path", sources(), ids=name)
def test_every_function_is_annotated(path: Path) -> None:
    bare = [
        node.name
        for node in functions(path)
        if node.returns is None
        or any(
            argument.annotation is None and argument.arg not in {"self", "cls"}
            for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        )
    ]
    assert bare == []


@pytest.mark.parametrize("path", sources(), ids=name)
def test_every_exemption_gives_its_reason(path: Path) -> None:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        mark = re.search(r"# (?:type: ignore\[[^\]]+\]|noqa: [A-Z]+\d+(?:, ?[A-Z]+\d+)*)(.*)", line)
        if mark:
            assert re.search(r"[a-z]{3}", mark.group(1)), f"{name(path)}:{number} needs its reason on the line"
        assert "# noqa\n" not in f"{line}\n", f"{name(path)}:{number} must say which rule it is exempt from"
