"""The contracts cover what the map names, also what is written later."""

import tomllib

from django.conf import settings

EDITORS = ("admin", "api", "views", "composing", "proofs")
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
