"""docs/configuration.md names every variable that the code reads, no other, and the default that the code has."""

import ast
import re
from collections.abc import Iterator

from django.conf import settings

from newsroom import email_url

PAGE = (settings.BASE_DIR / "docs" / "configuration.md").read_text(encoding="utf-8")
FOR_TESTS = {"TEST_DB_SUFFIX"}
# Read before Django's settings are, or by a name that is not written in the call.
READ_OTHERWISE = {"HOST", *email_url.WEBHOOK_KEYS}


def documented() -> dict[str, str]:
    """Variable -> its default as the page has it."""
    rows = [line.strip("| \n").split(" | ") for line in PAGE.splitlines() if re.match(r"\| `[A-Z_]+`", line)]
    assert all(len(row) == 4 for row in rows), "meaning, default and example of each variable"
    defaults: dict[str, str] = {}
    for names, _meaning, default, _example in rows:
        variables = re.findall(r"`([A-Z_]+)`", names)
        values = default.split(", ") if len(variables) > 1 else [default]
        for number, variable in enumerate(variables):
            assert variable not in defaults, f"{variable} has two lines"
            defaults[variable] = values[min(number, len(values) - 1)]
    return defaults


def is_read(function: str, module: str) -> bool:
    """`env.text(...)`, or `text(...)` in newsroom/env.py itself."""
    return function.startswith("env.") or (module == "env" and function in {"text", "flag", "number", "names"})


def reads() -> Iterator[tuple[str, object]]:
    """Every variable that is read through newsroom.env, and its default if that is a plain number."""
    for path in (settings.BASE_DIR / "newsroom").rglob("*.py"):
        if "tests" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and node.args and is_read(ast.unparse(node.func), path.stem)):
                continue
            values = [value.value for value in node.args if isinstance(value, ast.Constant)]
            if values and isinstance(values[0], str) and values[0].isupper():
                yield values[0], next((value for value in values[1:] if isinstance(value, int)), None)


def test_the_page_and_the_code_name_the_same_variables() -> None:
    # `env.split_url("EMAIL_URL", url)` names a variable too: it is for the message of an error.
    in_code = {name for name, _default in reads()} | READ_OTHERWISE
    assert len(in_code) > 30
    assert set(documented()) == in_code - FOR_TESTS


def test_the_page_gives_the_default_of_the_code() -> None:
    page = documented()
    differing = {
        name: (default, page[name])
        for name, default in reads()
        if default is not None and name not in FOR_TESTS and not page[name].startswith(f"`{default}`")
    }
    assert differing == {}
