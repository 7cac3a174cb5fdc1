"""The contracts cover what the map names, also what is written later."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

EDITORS = ("admin", "api", "views", "composing", "proofs")
# Of these the apps above may use everything, since no row is behind it.
WITHOUT_MODELS = ("postal", "core", "mailkit")
LOCK_CALL = re.compile(r"\bpg_(try_)?advisory_")
CONTRACTS = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]


def exists(name: str) -> bool:
    place = settings.BASE_DIR / "digests" / name
    return place.is_dir() or place.with_suffix(".py").exists()


def test_every_part_of_the_editors_code_is_kept_from_the_engine() -> None:
    contract = next(entry for entry in CONTRACTS["contracts"] if entry.get("forbidden_modules") == ["digests.sending"])
    assert set(contract["source_modules"]) == {f"digests.{name}" for name in EDITORS if exists(name)}


def test_every_app_has_its_layer() -> None:
    apps = {path.parent.name for path in settings.BASE_DIR.glob("*/apps.py")}
    assert set(CONTRACTS["root_packages"]) == apps


def code(app: str) -> Iterator[Path]:
    """The app's files, without its tests and migrations."""
    for path in sorted((settings.BASE_DIR / app).rglob("*.py")):
        if not {"tests", "migrations"} & set(path.parts):
            yield path


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a file imports; `from app import module` names the module.

    import-linter sees no part of a package that is not ours.
    """
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_lowest_apps_have_no_models() -> None:
    modelled = [
        f"{path.relative_to(settings.BASE_DIR)}: {name}"
        for app in WITHOUT_MODELS
        for path in code(app)
        for name in imported(path)
        if name.startswith(("django.db.models", "django.apps.apps", "django.contrib"))
        # An enumeration of codes is no model.
        and name != "django.db.models.TextChoices"
    ]
    assert modelled == []


def test_advisory_locks_are_taken_in_one_place() -> None:
    places = {
        path.relative_to(settings.BASE_DIR)
        for app in CONTRACTS["root_packages"]
        for path in code(app)
        if LOCK_CALL.search(path.read_text(encoding="utf-8"))
    }
    assert places == {Path("core/locks.py")}
